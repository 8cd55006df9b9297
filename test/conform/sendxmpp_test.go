//go:build conform

package conform

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// sendXMPP lets go-sendxmpp say one message in a room.
func sendXMPP(t testing.TB, x *node, account, muc, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, need(t, "go-sendxmpp"),
		"--username", account+"@localhost", "--password", password, "--jserver", x.XMPP, "--no-tls-verify", "--alias", "sendxmpp", "--chatroom", muc)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go-sendxmpp: %v: %s", err, out)
	}
}
