<?php
use PHPUnit\Framework\TestCase;

final class HookTest extends TestCase
{
    public function test_what_campaign_sends_is_stored_once(): void
    {
        $consumer = proc_open(['php', '-S', '127.0.0.1:8000', 'hook.php'], [2 => ['file', 'php.log', 'w']], $pipes, __DIR__);
        putenv('CHECK_BASIC_AUTH=acme:secret');
        exec('mockcampaign check http://127.0.0.1:8000/hook --probe http://127.0.0.1:8000/processed'
            . ' --wait-for-consumer 30s --seed 1 --quiet 2>&1', $lines, $status);
        proc_terminate($consumer);
        $this->assertSame(0, $status, implode("\n", $lines));
    }
}
