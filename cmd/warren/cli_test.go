package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cli runs one invocation and returns its exit code and what it printed.
func cli(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	code = run(args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestAQuestionToAnEmptyDirectoryFoundsNothing(t *testing.T) {
	for _, args := range [][]string{{"account", "list"}, {"account", "passwd", "bob", "--password-stdin"}} {
		dir := filepath.Join(t.TempDir(), "typo")
		var o, e strings.Builder
		code := run(append(args, "--data", dir), strings.NewReader("old\nnew\n"), &o, &e)
		if code != 1 || !strings.Contains(e.String(), "no node lives in") {
			t.Errorf("%v: code %d, %q", args, code, e.String())
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v made %s", args, dir)
		}
	}
}

func TestHelpOfACommand(t *testing.T) {
	for _, args := range [][]string{{"help", "serve"}, {"serve", "--help"}} {
		code, out, errs := cli(t, args...)
		if code != 0 || errs != "" || !strings.Contains(out, "usage: warren serve") || !strings.Contains(out, "  --data DIR") {
			t.Errorf("%v: code %d, %q, %q", args, code, out, errs)
		}
	}
	if code, _, errs := cli(t, "help", "srve"); code != 2 || !strings.Contains(errs, `no command "srve"`) {
		t.Errorf("an unknown command: code %d, %q", code, errs)
	}
}

func TestTheFlagsToRepeat(t *testing.T) {
	for _, test := range []struct{ data, config, want string }{
		{"", "", ""},
		{"a/b", "", " --data a/b"},
		{"my node", "", " --data 'my node'"},
		{"", "it's.toml", ` --config 'it'\''s.toml'`},
		{"a", "c.toml", " --config c.toml --data a"},
	} {
		c := &call{data: &test.data, config: &test.config}
		if got := c.where(); got != test.want {
			t.Errorf("data %q, config %q: got %q, want %q", test.data, test.config, got, test.want)
		}
	}
}

func TestTheDemoTakesNoPortOfOutgoingConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	d := &demoRun{ports: map[int]bool{}}
	for range 20 {
		_, port, _ := net.SplitHostPort(d.port(l.Addr().(*net.TCPAddr).Port))
		if len(port) != 5 || port < "10000" || port > "31999" {
			t.Errorf("got port %s", port)
		}
	}
}
