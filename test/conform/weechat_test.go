//go:build conform

package conform

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bot is the nick of the service in every room.
const bot = "warren"

// weechat is WeeChat without a terminal: lines go in by its FIFO, what it shows comes out of its log files.
type weechat struct {
	t    testing.TB
	nick string
	dir  string
	fifo *os.File
}

// startWeeChat connects WeeChat to the node, logged in by SASL PLAIN, and waits until it is in the room.
func startWeeChat(t testing.TB, x *node, account, room string) *weechat {
	t.Helper()
	w := &weechat{t: t, nick: account, dir: t.TempDir()}
	host, port, _ := strings.Cut(x.IRC, ":")
	args := []string{"--dir", w.dir, "--stdout"}
	for _, c := range []string{
		"/set fifo.file.path " + filepath.Join(w.dir, "fifo"), "/fifo enable",
		"/set logger.file.flush_delay 0", "/set logger.file.path " + filepath.Join(w.dir, "logs"), "/set logger.file.mask $plugin.$name.log",
		"/set logger.file.time_format T", "/set logger.level.irc 9",
		"/set irc.server_default.anti_flood_prio_high 0", "/set irc.server_default.anti_flood_prio_low 0",
		"/set irc.server_default.capabilities *", "/set irc.look.smart_filter off",
		fmt.Sprintf("/server add net %s/%s", host, port),
		"/set irc.server.net.nicks " + account, "/set irc.server.net.sasl_mechanism plain",
		"/set irc.server.net.sasl_username " + account, "/set irc.server.net.sasl_password " + password,
		"/set irc.server.net.autojoin " + room, "/connect net",
	} {
		args = append(args, "-r", c)
	}
	cmd := exec.Command(need(t, "weechat-headless"), args...)
	log := &tail{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HOME="+w.dir, "LANG=C.UTF-8", "TZ=UTC")
	if err := begin(cmd); err != nil {
		t.Fatalf("start WeeChat: %v", err)
	}
	log.onFailure(t, "WeeChat's terminal")
	t.Cleanup(func() {
		if w.fifo != nil {
			_ = w.fifo.Close()
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			for _, name := range []string{"irc.server.net", "irc.net." + room} {
				l := &tail{}
				_, _ = l.Write(w.read(name))
				t.Logf("last lines of WeeChat's %s:\n    %s", name, l)
			}
		}
	})
	eventually(t, "WeeChat did not open its FIFO", func() bool {
		s, err := os.Stat(filepath.Join(w.dir, "fifo"))
		return err == nil && s.Mode()&os.ModeNamedPipe != 0
	})
	var err error
	if w.fifo, err = os.OpenFile(filepath.Join(w.dir, "fifo"), os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "WeeChat is not in "+room, func() bool { return bytes.Contains(w.read("irc.net."+room), []byte("("+account)) })
	return w
}

func (w *weechat) read(buffer string) []byte {
	data, _ := os.ReadFile(filepath.Join(w.dir, "logs", buffer+".log"))
	return data
}

// say types a line into the room's buffer; commands start with a slash.
func (w *weechat) say(room, text string) {
	w.t.Helper()
	if _, err := fmt.Fprintf(w.fifo, "irc.net.%s *%s\n", room, text); err != nil {
		w.t.Fatalf("WeeChat's FIFO: %v", err)
	}
}

// talk returns the messages that the room's buffer shows, in order. WeeChat 3.8 shows its own when they are sent, not when they are ordered.
func (w *weechat) talk(room string) (out []said) {
	for line := range strings.Lines(string(w.read("irc.net." + room))) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 3)
		if len(f) == 3 && !strings.ContainsAny(f[1], "<>-*= ") && f[1] != "" {
			out = append(out, said{nick: strings.TrimLeft(f[1], "~&@%+"), text: f[2]})
		}
	}
	return out
}

// sees waits until the room's buffer shows the text.
func (w *weechat) sees(room, text string) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("WeeChat did not show %q", text), func() bool { return bytes.Contains(w.read("irc.net."+room), []byte(text)) })
}
