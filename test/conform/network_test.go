//go:build conform

package conform

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"warren/test/conform/check"
)

// node is one of the demo's nodes.
type node struct {
	Name string
	ID   string
	PID  int
	IRC  string
	XMPP string
	Data string

	own *exec.Cmd // when the test started it again
	log *tail
}

// network is a running `warren demo`.
type network struct {
	t      testing.TB
	MUC    string
	Domain string
	Nodes  []*node
	demo   *exec.Cmd
	down   bool
}

// startDemo runs warren demo and waits until it says that its nodes are ready. At the end of the test all nodes are stopped, and their data
// directories checked against each other.
func startDemo(t testing.TB) *network {
	t.Helper()
	n := &network{t: t}
	log := &tail{}
	n.demo = exec.Command(program, "demo", "--nodes", "4", "--json", "--data", t.TempDir())
	n.demo.Stderr = log
	out, err := n.demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := begin(n.demo); err != nil {
		t.Fatalf("start warren demo: %v", err)
	}
	log.onFailure(t, "the nodes")
	t.Cleanup(n.close)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, n)
	}
	if err != nil || len(n.Nodes) != 4 {
		t.Fatalf("warren demo printed %q: %v", line, err)
	}
	t.Logf("4 nodes are ready %.1f s after warren demo began", time.Since(began).Seconds())
	for _, x := range n.Nodes {
		x.log = log
	}
	return n
}

func (n *network) at(i int) *node { return n.Nodes[i-1] }

// close stops all nodes and lets the independent checker read what they leave.
func (n *network) close() {
	if n.down || n.demo.Process == nil {
		return
	}
	n.stop()
	if n.t.Failed() {
		return
	}
	n.check()
}

// stop ends all nodes in order, so that their data can be read.
func (n *network) stop() {
	n.down = true
	for _, x := range n.Nodes {
		if x.own != nil {
			_ = x.own.Process.Signal(syscall.SIGCONT)
			_ = x.own.Process.Signal(syscall.SIGTERM)
		}
	}
	_ = n.demo.Process.Signal(syscall.SIGTERM)
	for _, x := range n.Nodes {
		if x.own != nil {
			if err := x.own.Wait(); err != nil {
				n.t.Errorf("%s did not end in order: %v", x.Name, err)
			}
		}
	}
	if err := n.demo.Wait(); err != nil {
		n.t.Errorf("warren demo did not end in order: %v", err)
	}
}

// check reads the data directories of the stopped nodes.
func (n *network) check() *check.Network {
	var dirs []string
	for _, x := range n.Nodes {
		dirs = append(dirs, x.Data)
	}
	result, err := check.Nodes(dirs...)
	if err != nil {
		n.t.Fatalf("independent check: %v", err)
	}
	for _, p := range result.Problems {
		n.t.Errorf("independent check: %s", p)
	}
	n.t.Logf("independent check of the four data directories: %s", result.Summary())
	return result
}

// warren runs the program and returns its output.
func warren(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("warren %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

const password = "correct horse"

// account makes an account at the node.
func (x *node) account(t testing.TB, name string) {
	t.Helper()
	warren(t, password+"\n", "account", "create", name, "--password-stdin", "--data", x.Data)
}

// roomStatus and nodeStatus are what `warren status --json` promises.
type roomStatus struct {
	Name        string
	ID          string
	Leader      string
	Controllers []string
	Epoch       uint64
	Height      uint64
	Occupants   int
	Parked      bool
}

type nodeStatus struct {
	ID      string
	Network string
	Peers   int
	Rooms   []roomStatus
}

// status asks the node; ok is false while it does not answer.
func (x *node) status() (s nodeStatus, ok bool) {
	out, err := exec.Command(program, "status", "--json", "--data", x.Data).Output()
	return s, err == nil && json.Unmarshal(out, &s) == nil
}

// room returns the node's view of the room; ok is false when it has none.
func (x *node) room(name string) (roomStatus, bool) {
	s, _ := x.status()
	i := slices.IndexFunc(s.Rooms, func(r roomStatus) bool { return r.Name == name })
	if i < 0 {
		return roomStatus{}, false
	}
	return s.Rooms[i], true
}

// byID returns the node with this id.
func (n *network) byID(id string) *node {
	for _, x := range n.Nodes {
		if x.ID == id {
			return x
		}
	}
	return nil
}

// leader returns the node that leads the room, as one of the asked nodes sees it.
func (n *network) leader(room string, ask *node) *node {
	r, _ := ask.room(room)
	return n.byID(r.Leader)
}

// signal sends a signal to the node's process.
func (x *node) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(x.PID, s); err != nil {
		t.Fatalf("signal %v to %s: %v", s, x.Name, err)
	}
}

// kill ends the node as a power failure would, and waits until it is gone.
func (x *node) kill(t testing.TB) {
	t.Helper()
	x.signal(t, syscall.SIGKILL)
	if x.own != nil {
		_ = x.own.Wait()
		x.own = nil
	}
	eventually(t, x.Name+" is not gone after kill -9", func() bool {
		state, err := os.ReadFile("/proc/" + itoa(x.PID) + "/stat")
		return err != nil || bytes.Contains(state, []byte(") Z "))
	})
}

// restart brings a killed node back and waits until it listens. It returns the time that took.
func (x *node) restart(t testing.TB) time.Duration {
	t.Helper()
	x.own = exec.Command(program, "serve", "--data", x.Data)
	log := &tail{}
	x.own.Stdout, x.own.Stderr = log, log
	began := time.Now()
	if err := begin(x.own); err != nil {
		t.Fatalf("restart %s: %v", x.Name, err)
	}
	log.onFailure(t, x.Name+" after its restart")
	x.PID, x.log = x.own.Process.Pid, log
	took := waitListening(t, x.IRC, began)
	return took
}

// memory returns the node's resident set in bytes: now ("VmRSS"), or the highest so far ("VmHWM").
func (x *node) memory(t testing.TB, which string) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/" + itoa(x.PID) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == which+":" {
			return atoi(t, f[1]) << 10
		}
	}
	t.Fatalf("no %s of %s", which, x.Name)
	return 0
}
