<?php
// POST /hook stores Campaign's events, GET /processed returns what is stored.

declare(strict_types=1);

function respond(int $status, string $body = ''): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    exit($body);
}

$database = new PDO('sqlite:' . __DIR__ . '/events.sqlite');
$database->exec('CREATE TABLE IF NOT EXISTS events (mail_id TEXT PRIMARY KEY, payload TEXT NOT NULL)');

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/processed') {
    $payloads = $database->query('SELECT payload FROM events ORDER BY rowid')->fetchAll(PDO::FETCH_COLUMN);
    respond(200, '[' . implode(',', $payloads) . ']');
}
if ($path !== '/hook') {
    respond(404);
}
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    respond(405);
}
$given = ($_SERVER['PHP_AUTH_USER'] ?? '') . ':' . ($_SERVER['PHP_AUTH_PW'] ?? '');
if (!hash_equals('acme:secret', $given)) {
    header('WWW-Authenticate: Basic');
    respond(401);
}

$events = json_decode(file_get_contents('php://input'));
if (!is_array($events) || array_filter($events, is_object(...)) !== $events) {
    respond(400);
}
$database->beginTransaction();
$insert = $database->prepare('INSERT OR IGNORE INTO events VALUES (?, ?)');
foreach ($events as $event) {
    $payload = json_encode($event, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION);
    $insert->execute([$event->mailId, $payload]);
}
$database->commit();
respond(200);
