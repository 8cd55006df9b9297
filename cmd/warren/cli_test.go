package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

func TestTheHelpIsATable(t *testing.T) {
	_, out, _ := cli(t, "help")
	at := map[int]bool{}
	for _, c := range commands() {
		line := out[strings.Index(out, "  warren "+c.name):]
		line, _, _ = strings.Cut(line, "\n")
		at[strings.Index(line, c.help)] = true
		if len(line) > 132 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if len(at) != 1 || at[-1] {
		t.Errorf("what commands do begins in columns %v:\n%s", at, out)
	}
}

func TestWhatIsSaidOnce(t *testing.T) {
	full := errors.New("store: no space left")
	for _, test := range []struct {
		why, closing error
		want         string
	}{
		{fmt.Errorf("the disk fails: %w", full), full, "the disk fails: store: no space left"},
		{fmt.Errorf("the disk fails: %w", full), errors.New("another"), "the disk fails: store: no space left\nanother"},
		{nil, full, "store: no space left"},
		{full, nil, "store: no space left"},
	} {
		if got := joined(test.why, test.closing).Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	if err := joined(nil, nil); err != nil {
		t.Errorf("nothing went wrong: %v", err)
	}
}

func TestASocketOfSomebodyElseIsNoStoppedNode(t *testing.T) {
	denied := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}
	if err := unreached("/data/warren.sock", denied); errors.Is(err, errNotRunning) || !strings.Contains(err.Error(), "/data/warren.sock may not be opened") {
		t.Errorf("not allowed: %v", err)
	}
	gone := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENOENT)}
	if err := unreached("/data/warren.sock", gone); !errors.Is(err, errNotRunning) {
		t.Errorf("no socket: %v", err)
	}
}

func TestNodesAreListedAsPeopleCount(t *testing.T) {
	names := map[string]string{"aaaaaaaaa": "n10", "bbbbbbbbb": "n9", "ccccccccc": "alpha"}
	got := named(names, []string{"aaaaaaaaa", "ddddddddd", "bbbbbbbbb", "ccccccccc"})
	if want := []string{"alpha", "dddddddd", "n9", "n10"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhereClientsConnect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got, want := reachedAt([]string{"127.0.0.1:0", ":6667"}, []net.Listener{l, l}), l.Addr().String()+", :6667"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := reachedAt(nil, nil); got != "(switched off)" {
		t.Errorf("nowhere: %q", got)
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
