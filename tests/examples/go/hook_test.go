package hook

import (
	"net/http/httptest"
	"os/exec"
	"testing"
)

func TestHookIsCompliant(t *testing.T) {
	server := httptest.NewServer(New())
	defer server.Close()
	check := exec.Command("mockcampaign", "check", server.URL+"/hook", "--probe", server.URL+"/processed",
		"--basic-auth", "acme:secret", "--seed", "1", "--quiet")
	if said, err := check.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}
