<?php
// PDO with MariaDB, behind several workers: a column for each field it knows, and a digest of all of them as the key.
// Absent fields are null, others are left out. MariaDB makes JSON of the columns once, when it stores them.

declare(strict_types=1);

const COLUMNS = [
    'type' => 'VARCHAR(40)',
    'recipientId' => 'TEXT',
    'userListId' => 'BIGINT',
    'clientId' => 'BIGINT',
    'mailingId' => 'BIGINT',
    'created' => 'BIGINT',
    'subscriptionId' => 'BIGINT',
    'mailId' => 'TEXT',
    'remoteAddress' => 'TEXT',
    'device' => 'TEXT',
    'operatingSystem' => 'TEXT',
    'browser' => 'TEXT',
    'link' => 'TEXT',
    'category' => 'TEXT',
    'mediaTypesToAddresses' => 'TEXT',
];
// A text that is JSON itself.
const VALUES = ['mediaTypesToAddresses' => "JSON_EXTRACT(mediaTypesToAddresses, '\$')"];
const DEADLOCK = 1213;

function respond(int $status, string $body = ''): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    exit($body);
}

function database(): PDO
{
    return new PDO(getenv('CONSUMER_STORE'), 'root', '', [PDO::ATTR_PERSISTENT => true]);
}

function isAuthorized(): bool
{
    $given = ($_SERVER['PHP_AUTH_USER'] ?? '') . ':' . ($_SERVER['PHP_AUTH_PW'] ?? '');
    return hash_equals(getenv('CONSUMER_USER') . ':' . getenv('CONSUMER_PASSWORD'), $given);
}

/** Return JSON in which U+FFFD stands for each half of a character, which json_decode refuses. */
function withoutHalves(string $json): string
{
    return preg_replace_callback(
        '/\\\\u[Dd][89ABab][0-9A-Fa-f]{2}\\\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|\\\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2}|\\\\./s',
        fn(array $found): string => preg_match('/^\\\\u[Dd].{3}$/', $found[0]) ? '\ufffd' : $found[0],
        $json,
    );
}

/** Return rows by their digests. The order of these lets two transactions wait for each other rarely. */
function rows(mixed $events): array
{
    if (!is_array($events)) {
        respond(400);
    }
    $rows = [];
    foreach ($events as $event) {
        if (!is_object($event)) {
            respond(400);
        }
        $row = [];
        foreach (array_keys(COLUMNS) as $name) {
            $value = $event->$name ?? null;
            $row[] = is_object($value) ? json_encode($value) : $value;
        }
        $rows[hash('sha256', json_encode($row, JSON_THROW_ON_ERROR))] = $row;
    }
    ksort($rows, SORT_STRING);
    return $rows;
}

function store(PDO $database, array $rows): void
{
    // INSERT IGNORE would also ignore that a text is too long.
    $values = str_repeat(', ?', count(COLUMNS));
    $insert = $database->prepare("INSERT INTO event VALUES (?$values, DEFAULT) ON DUPLICATE KEY UPDATE digest = digest");
    for ($again = true; $again;) {
        $again = false;
        $database->beginTransaction();
        try {
            foreach ($rows as $digest => $row) {
                $insert->execute([$digest, ...$row]);
            }
            $database->commit();
        } catch (PDOException $error) {
            $database->rollBack();
            $again = ($error->errorInfo[1] ?? null) === DEADLOCK;
            if (!$again) {
                throw $error;
            }
        }
    }
}

if (PHP_SAPI === 'cli') { // before the server starts
    $columns = implode(', ', array_map(fn($name, $type) => "$name $type", array_keys(COLUMNS), COLUMNS));
    $pairs = implode(', ', array_map(fn($name) => "'$name', " . (VALUES[$name] ?? $name), array_keys(COLUMNS)));
    database()->exec(
        'CREATE TABLE IF NOT EXISTS event (digest CHAR(64) PRIMARY KEY, '
        . "$columns, payload LONGTEXT AS (JSON_OBJECT($pairs)) STORED) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    );
    exit;
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/processed') {
    $payloads = database()->query('SELECT payload FROM event')->fetchAll(PDO::FETCH_COLUMN);
    respond(200, '[' . implode(',', $payloads) . ']');
}
if ($path !== '/hook') {
    respond(404);
}
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    respond(405);
}
if (!isAuthorized()) {
    header('WWW-Authenticate: Basic');
    respond(401);
}
store(database(), rows(json_decode(withoutHalves(file_get_contents('php://input')))));
respond(200);
