using System.Diagnostics;
using NUnit.Framework;

public class HookTest
{
    [Test]
    public void HookIsCompliant()
    {
        var arguments = "check http://127.0.0.1:8000/hook --probe http://127.0.0.1:8000/processed "
            + "--basic-auth acme:secret --seed 1 --quiet";
        var start = new ProcessStartInfo("mockcampaign", arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        using (new Hook("http://127.0.0.1:8000"))
        using (var check = Process.Start(start))
        {
            var said = check.StandardOutput.ReadToEnd();
            check.WaitForExit();
            Assert.That(check.ExitCode, Is.EqualTo(0), said);
        }
    }
}
