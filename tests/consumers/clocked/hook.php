<?php
// A consumer in PHP that looks at the clock: `php -S HOST:PORT hook.php`, with a file for STORE; GET /bug/NAME gives it
// a bug.
const DAY = 86400;

$file = fopen(getenv("STORE"), "c+");
flock($file, LOCK_EX);
$state = json_decode(stream_get_contents($file) ?: '{"bug": "", "seen": {}, "stored": []}', true);

function keep(array $state): void
{
    global $file;
    ftruncate($file, 0);
    rewind($file);
    fwrite($file, json_encode($state));
}

function respond(int $status, string $body = ""): never
{
    http_response_code($status);
    echo $body;
    exit;
}

if ($_SERVER["REQUEST_METHOD"] === "GET") {
    if ($_SERVER["REQUEST_URI"] === "/clock") {
        $began = hrtime(true);
        usleep(50_000);
        time_sleep_until(microtime(true) + 0.05);
        $now = hrtime(true);
        $timer = ($now - $began) / 1e9;
        respond(200, json_encode(["wall" => microtime(true), "monotonic" => $now / 1e9, "timer" => $timer]));
    }
    if (str_starts_with($_SERVER["REQUEST_URI"], "/bug/")) {
        keep(["bug" => substr($_SERVER["REQUEST_URI"], 5), "seen" => [], "stored" => []]);
        respond(200);
    }
    respond(200, json_encode($state["stored"]));
}
$events = json_decode(file_get_contents("php://input"), true);
if (!is_array($events)) {
    respond(400);
}
$now = time();
$bug = $state["bug"];
$kept = ["keys-an-hour" => 3600, "keys-a-day" => DAY][$bug] ?? 4 * DAY;
$state["seen"] = array_filter($state["seen"], fn ($at) => $at >= $now - $kept);
foreach ($events as $event) {
    $key = hash("sha256", json_encode($event));
    if (isset($state["seen"][$key]) || ($bug === "drops-by-clock" && $event["created"] < ($now - DAY) * 1000)) {
        continue;
    }
    $state["seen"][$key] = $now;
    $state["stored"][] = $event;
}
keep($state);
