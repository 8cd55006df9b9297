//go:build conform

package conform

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	program string // the warren binary under test
	starts  = make(chan func())
)

// TestMain builds the program once, and keeps one operating system thread that starts all processes: they are told to end with it, so that
// nothing is left running when the tests are killed.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	go func() {
		runtime.LockOSThread()
		for f := range starts {
			f()
		}
	}()
	program = os.Getenv("WARREN_BIN")
	if program == "" {
		dir, err := os.MkdirTemp("", "warren-conform-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "warren")
		cmd := exec.Command("go", "build", "-o", program, "warren/cmd/warren")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build warren: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// begin starts a process that ends with this one.
func begin(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	done := make(chan error)
	starts <- func() { done <- cmd.Start() }
	return <-done
}

// tail keeps the last words of a process or client, to be shown when a test fails.
type tail struct {
	mu   sync.Mutex
	last [][]byte
	part []byte
}

const (
	tailLines     = 25
	tailLineBytes = 400
)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part = append(t.part, p...)
	for {
		i := bytes.IndexByte(t.part, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := t.part[:min(i, tailLineBytes)]
		t.last = append(t.last, bytes.Clone(line))
		t.last, t.part = t.last[max(0, len(t.last)-tailLines):], t.part[i+1:]
	}
}

func (t *tail) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(bytes.Join(append(t.last[:len(t.last):len(t.last)], t.part), []byte("\n    "))), "?")
}

// onFailure prints the tail under a headline when the test has failed.
func (t *tail) onFailure(tb testing.TB, who string) {
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("last lines of %s:\n    %s", who, t)
		}
	})
}

var _ io.Writer = (*tail)(nil)

// need fails the test when a client is not installed: nothing is skipped into green.
func need(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("%s is not installed; test/run installs it", name)
	}
	return path
}

// patience is how long an event may take that must come. It is for a loaded machine; nothing waits longer than its event takes.
const patience = 30 * time.Second

// polling is how often something is asked for that cannot be waited for.
const polling = 20 * time.Millisecond

// eventually asks until ok, or fails the test.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); ; {
		if ok() {
			return
		}
		if time.Now().After(end) {
			tb.Fatalf("waited %v: %s", patience, what)
		}
		time.Sleep(polling)
	}
}
