<?php
// Serves all PHP examples of the rules' pages, as the router of PHP's built-in server: `php -S ADDRESS serve.php`, with
// the folder of the examples in EXAMPLES. Stands for the web server and the database of a real consumer.

class Rejected extends Exception
{
    public function __construct(public readonly int $status)
    {
        parent::__construct("rejected with $status");
    }
}

class DatabaseError extends Exception {}

/** A table with a unique key, which survives restarts. */
class Database
{
    public Values $state;
    private PDO $pdo;
    private array $locks = [];

    public function __construct(private string $file)
    {
        $this->pdo = new PDO("sqlite:$file");
        $this->pdo->exec('PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF');
        $this->pdo->exec('CREATE TABLE IF NOT EXISTS events (key BLOB UNIQUE, event BLOB)');
        $this->state = new Values($this->pdo, 'state');
    }

    /** Stores all that is inserted meanwhile, or nothing of it if an exception is thrown. */
    public function transaction(callable $work): void
    {
        $this->pdo->exec('BEGIN IMMEDIATE');
        try {
            $work();
            $this->pdo->exec('COMMIT');
        } catch (Throwable $error) {
            $this->pdo->exec('ROLLBACK');
            throw $error;
        }
    }

    /** Stores the row unless there is one with this key, as INSERT … ON CONFLICT DO NOTHING. */
    public function insert(?string $key, object $row): void
    {
        if (is_file("{$this->file}.broken")) {
            throw new DatabaseError('the database cannot be reached');
        }
        $inserted = $this->pdo->prepare('INSERT OR IGNORE INTO events VALUES (?, ?)');
        $inserted->execute([$key === null ? null : hash('sha256', $key), serialize($row)]);
    }

    /** Stores the row, as INSERT into a table without a unique key. */
    public function append(object $row): void
    {
        $this->insert(null, $row);
    }

    public function has(string $key): bool
    {
        $found = $this->pdo->prepare('SELECT 1 FROM events WHERE key = ?');
        $found->execute([hash('sha256', $key)]);
        return $found->fetchColumn() !== false;
    }

    /** Locks a row until the request ends. Throws a DatabaseError if that takes too long, as in a deadlock. */
    public function lock(string $name): void
    {
        $lock = $this->locks[$name] ??= fopen("{$this->file}." . md5($name), 'c');
        for ($wait = 0; !flock($lock, LOCK_EX | LOCK_NB); $wait++) {
            if ($wait === 250) {
                throw new DatabaseError('deadlock detected');
            }
            usleep(2_000);
        }
    }

    public function rows(): array
    {
        return array_map('unserialize', $this->pdo->query('SELECT event FROM events')->fetchAll(PDO::FETCH_COLUMN));
    }
}

/** Values by name: a table, or a cache in memory such as APCu. */
class Values
{
    public function __construct(private PDO $pdo, private string $table)
    {
        $pdo->exec("CREATE TABLE IF NOT EXISTS $table (name BLOB PRIMARY KEY, value BLOB)");
    }

    public function get(string $name, mixed $default = null): mixed
    {
        $found = $this->pdo->prepare("SELECT value FROM {$this->table} WHERE name = ?");
        $found->execute([$name]);
        $value = $found->fetchColumn();
        return $value === false ? $default : unserialize($value);
    }

    public function set(string $name, mixed $value): void
    {
        $set = $this->pdo->prepare("INSERT OR REPLACE INTO {$this->table} VALUES (?, ?)");
        $set->execute([$name, serialize($value)]);
    }

    public function all(): array
    {
        $rows = $this->pdo->query("SELECT name, value FROM {$this->table}")->fetchAll(PDO::FETCH_KEY_PAIR);
        return array_map('unserialize', $rows);
    }

    public function clear(): void
    {
        $this->pdo->exec("DELETE FROM {$this->table}");
    }
}

set_error_handler(function (int $level, string $message): bool {
    throw new ErrorException($message);
});

$parts = explode('/', parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
$path = array_pop($parts);
$file = getenv('EXAMPLES') . '/' . implode('.', array_slice($parts, 1));
$db = new Database("$file.events");
$memory = new PDO("sqlite:$file.memory");
$memory->exec('PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF');
$cache = new Values($memory, 'cache');
switch ($path) {
    case 'hook':
        if (is_file("$file.down")) {
            touch("$file.dropped");
            header('Content-Length: 1'); // which does not arrive
            break;
        }
        require getenv('EXAMPLES') . '/Consumer.php';
        require "$file.php";
        http_response_code((new Example($db, $cache))->handle());
        break;
    case 'processed':
        require getenv('EXAMPLES') . '/Consumer.php';
        require "$file.php";
        echo json_encode((new Example($db, $cache))->processed(), JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
        break;
    case 'state':
        echo json_encode((object) $db->state->all(), JSON_THROW_ON_ERROR);
        break;
    case 'restart': // drops a request that arrives meanwhile, if there is one, and loses what is in memory
        is_file("$file.down") || file_put_contents("$file.down", microtime(true));
        if (!is_file("$file.dropped") && file_get_contents("$file.down") > microtime(true) - 1) {
            http_response_code(503); // the sender asks again, so that no worker waits, which may have the request
            break;
        }
        $cache->clear();
        array_map('unlink', array_filter(["$file.down", "$file.dropped"], 'is_file'));
        break;
    case 'break':
        touch("$file.events.broken");
        break;
    case 'restore':
        unlink("$file.events.broken");
        break;
    default:
        http_response_code(404);
}
