import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class HookTest {
    @Test
    void hookIsCompliant() throws Exception {
        var server = Hook.start();
        var url = "http://127.0.0.1:" + server.getAddress().getPort();
        var check = new ProcessBuilder("mockcampaign", "check", url + "/hook", "--probe", url + "/processed",
                "--basic-auth", "acme:secret", "--seed", "1", "--quiet")
                .redirectErrorStream(true).start();
        var said = new String(check.getInputStream().readAllBytes());
        server.stop(0);
        assertEquals(0, check.waitFor(), said);
    }
}
