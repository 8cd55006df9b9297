package script

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a node may need to answer, on a loaded machine.
const patience = 30 * time.Second

func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "warren"), "warren/cmd/warren")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build warren: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "share"))
			return nil
		},
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort, "occupy": occupy, "expand": expand, "ready": ready, "code": code, "talk": talk, "flip": flip,
		},
	})
}

func need(ts *testscript.TestScript, neg, ok bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

func freePort(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) > 0, "freeport VAR...")
	for _, name := range args {
		ts.Setenv(name, strconv.Itoa(findPort(ts)))
	}
}

// findPort returns a port that was free for TCP and UDP a moment ago.
func findPort(ts *testscript.TestScript) int {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		u, err := net.ListenPacket("udp", l.Addr().String())
		ts.Check(l.Close())
		if err == nil {
			ts.Check(u.Close())
			return l.Addr().(*net.TCPAddr).Port
		}
	}
	ts.Fatalf("no port is free for both TCP and UDP")
	return 0
}

func occupy(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "occupy VAR")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

func expand(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 2, "expand FROM TO")
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	to := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(to), 0o700))
	ts.Check(os.WriteFile(to, []byte(text), 0o600))
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "ready DIR")
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = ts.Exec("warren", "status", "--data", args[0]); err == nil {
			return
		}
	}
	ts.Fatalf("the node of %s does not answer: %v", args[0], err)
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) >= 2, "code N PROGRAM ARGS...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d; standard error: %s", got, want, ts.ReadFile("stderr"))
	}
	if lines := strings.Count(ts.ReadFile("stderr"), "\n"); want != 0 && lines != 1 {
		ts.Fatalf("%d lines on standard error instead of one: %s", lines, fmt.Sprintf("%.400q", ts.ReadFile("stderr")))
	}
}

// talk connects an IRC client to a port, has it join a channel and say so many lines there, and waits until all of them are ordered.
func talk(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 4, "talk PORT NICK CHANNEL LINES")
	lines, err := strconv.Atoi(args[3])
	ts.Check(err)
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+args[0], patience)
	ts.Check(err)
	defer func() { _ = conn.Close() }()
	ts.Check(conn.SetDeadline(time.Now().Add(patience)))
	in := bufio.NewScanner(conn)
	send := func(format string, a ...any) {
		_, err := fmt.Fprintf(conn, format+"\r\n", a...)
		ts.Check(err)
	}
	until := func(word string) {
		for in.Scan() {
			if line := in.Text(); strings.HasPrefix(line, "PING ") {
				send("PONG %s", line[5:])
			} else if strings.Contains(line, word) {
				return
			}
		}
		ts.Fatalf("%s heard no %q: %v", args[1], word, in.Err())
	}
	send("CAP REQ :echo-message\r\nNICK %s\r\nUSER %s 0 * :%s\r\nCAP END", args[1], args[1], args[1])
	until(" 001 ")
	send("JOIN %s", args[2])
	until(" 366 ")
	for i := range lines {
		send("PRIVMSG %s :line %d", args[2], i)
		until(fmt.Sprint(":line ", i))
	}
	send("QUIT")
	until("ERROR")
}

// flip changes one bit in the middle of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "flip FILE")
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}
