package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"warren/bridge"
	"warren/node"
	"warren/node/config"
	"warren/rooms"
)

// The control socket is how other invocations speak with a running node: HTTP with JSON over a Unix socket in the data directory, which only
// its owner can enter.
const (
	controlName  = "warren.sock"
	controlTime  = 30 * time.Second // one request
	controlBytes = 64 << 10         // of a request
	maxSockPath  = 100              // bytes a Unix socket's path may have on every system
)

// controlPath returns where the socket of a data directory is: in it, or, when its path is too long for a socket, in a folder among the temporary
// files that nobody but this user can enter.
func controlPath(data string) (string, error) {
	p := filepath.Join(data, controlName)
	if len(p) <= maxSockPath {
		return p, nil
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("warren-%d", os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("control socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("control socket: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(st.Uid) != os.Getuid() {
		return "", fmt.Errorf("control socket: %s is not a folder of this user alone: remove it, or use a shorter --data", dir)
	}
	sum := sha256.Sum256([]byte(data))
	return filepath.Join(dir, hex.EncodeToString(sum[:8])+".sock"), nil
}

type controlServer struct {
	srv  *http.Server
	path string
	wg   sync.WaitGroup
}

type accountRequest struct{ Name, Password, Old string }

type accountInfo struct {
	Name    string `json:"name"`
	Devices int    `json:"devices"`
	Here    bool   `json:"here"` // its keys lie on this node
}

type inviteRequest struct {
	Hours int
	Uses  int
}

type admitRequest struct{ Code string }

type waitingNode struct {
	Name string `json:"name"`
	Code string `json:"code"`
	ID   string `json:"id"`
}

type nodeInfo struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	Up   bool   `json:"up"`
	RTT  string `json:"rtt,omitempty"`

	ClockAhead int64 `json:"clockAhead"` // ms, of this node's; about, and 0 when it has not told
}

// clockInfo is how this node's clock looks beside those of the nodes that it hears.
type clockInfo struct {
	Ahead   int64 `json:"ahead"`   // ms, of most of the others; negative: behind
	Heard   int   `json:"heard"`   // so many others
	Refused int   `json:"refused"` // nodes that it cannot connect with for being wrong by more than an hour
	Wrong   bool  `json:"wrong"`   // it should be set
}

// statusInfo is what `warren status --json` prints.
type statusInfo struct {
	ID        string              `json:"id"`
	Name      string              `json:"name"`
	Network   string              `json:"network"`
	NetworkID string              `json:"networkID"`
	Domain    string              `json:"domain"`
	Peers     int                 `json:"peers"` // other nodes that are up
	Nodes     []nodeInfo          `json:"nodes"`
	Uptime    int64               `json:"uptime"` // seconds
	Sessions  int                 `json:"sessions"`
	Clock     clockInfo           `json:"clock"`
	Directory bridge.RoomStatus   `json:"directory"`
	Rooms     []bridge.RoomStatus `json:"rooms"`
}

// startControl opens the socket. The lock on the data directory is held, so an old socket file is a dead one.
func startControl(n *node.Node, hub *bridge.Hub, cfg config.Config, log *slog.Logger) (*controlServer, error) {
	path, err := controlPath(string(cfg.Node.Data))
	if err != nil {
		return nil, err
	}
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	handle(mux, "GET /status", func(context.Context, struct{}) (statusInfo, error) { return nodeStatus(n, hub), nil })
	handle(mux, "POST /account/create", func(ctx context.Context, r accountRequest) (string, error) {
		return n.Accounts().Register(ctx, r.Name, r.Password)
	})
	handle(mux, "POST /account/passwd", func(ctx context.Context, r accountRequest) (string, error) {
		return r.Name, n.Accounts().ChangePassword(ctx, r.Name, r.Old, r.Password)
	})
	handle(mux, "GET /account/list", func(context.Context, struct{}) ([]accountInfo, error) { return listAccounts(n), nil })
	handle(mux, "POST /invite", func(_ context.Context, r inviteRequest) (string, error) {
		return n.Invite(time.Duration(r.Hours)*time.Hour, r.Uses)
	})
	handle(mux, "GET /waiting", func(context.Context, struct{}) ([]waitingNode, error) {
		out := []waitingNode{}
		for _, w := range n.Waiting() {
			out = append(out, waitingNode{w.Name, w.Code, w.ID.String()})
		}
		return out, nil
	})
	handle(mux, "POST /admit", func(ctx context.Context, r admitRequest) (string, error) {
		who, err := n.AdmitCode(ctx, r.Code)
		return who.Name, err
	})
	handle(mux, "POST /room/recover", func(ctx context.Context, r recoverRequest) (recoverInfo, error) { return recoverAt(ctx, n, r) })
	handleRooms(mux, n)
	c := &controlServer{srv: &http.Server{Handler: mux, ReadTimeout: controlTime, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelInfo)}, path: path}
	c.wg.Go(func() { _ = c.srv.Serve(l) })
	return c, nil
}

func (c *controlServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.srv.Shutdown(ctx)
	c.wg.Wait()
	_ = os.Remove(c.path)
}

// handle serves one call: JSON in, JSON out, an error as text with status 422.
func handle[In, Out any](mux *http.ServeMux, pattern string, f func(context.Context, In) (Out, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var in In
		data, err := io.ReadAll(io.LimitReader(r.Body, controlBytes))
		if err == nil && len(data) > 0 {
			err = json.Unmarshal(data, &in)
		}
		var out Out
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), controlTime)
			defer cancel()
			out, err = f(ctx, in)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		_ = json.NewEncoder(w).Encode(out)
	})
}

// errNotRunning says that no node runs with the data directory.
var errNotRunning = errors.New("no node runs with this data directory")

// unreached says why a node's control socket could not be opened: errNotRunning, or this user may not.
func unreached(socket string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s may not be opened by this user: run the command as the user who runs the node", socket)
	}
	return errNotRunning
}

// ask calls a running node. errNotRunning: there is none.
func ask(ctx context.Context, data, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := stream(ctx, data, method, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("ask the running node: %w", err)
	}
	return json.Unmarshal(answer, out)
}

// stream calls a running node with a body of any length, nil for none, and returns its answer, which the caller reads and closes. errNotRunning:
// there is none.
func stream(ctx context.Context, data, method, path string, body io.Reader) (*http.Response, error) {
	socket, err := controlPath(data)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://warren"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, unreached(socket, err)
		}
		return nil, fmt.Errorf("ask the running node: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(io.LimitReader(resp.Body, controlBytes))
		return nil, errors.Join(err, errors.New(string(bytes.TrimSpace(text))))
	}
	return resp, nil
}

func listAccounts(n *node.Node) []accountInfo {
	out := []accountInfo{}
	n.Host().Directory(func(d *rooms.Directory) {
		for _, name := range sortedNames(d.Accounts) {
			live := 0
			for _, dev := range d.Accounts[name].Devices {
				if dev.To == 0 {
					live++
				}
			}
			out = append(out, accountInfo{Name: name, Devices: live})
		}
	})
	for i := range out {
		out[i].Here = n.Accounts().Has(out[i].Name)
	}
	return out
}

func nodeStatus(n *node.Node, hub *bridge.Hub) statusInfo {
	g := n.Genesis()
	s := statusInfo{
		ID: n.ID().String(), Name: nodeNameOf(n), Network: g.Name, NetworkID: g.ID().String(), Domain: g.Domain, Uptime: int64(n.Uptime().Seconds()), Rooms: []bridge.RoomStatus{},
	}
	if hub != nil {
		s.Sessions = len(hub.Sessions())
	}
	c := n.Clock()
	s.Clock = clockInfo{Ahead: c.Ahead.Milliseconds(), Heard: c.Heard, Refused: c.Refused, Wrong: c.Wrong()}
	up := map[rooms.NodeID]nodeInfo{n.ID(): {Up: true}}
	for _, p := range n.Peers() {
		if p.Up {
			s.Peers++
			up[p.ID] = nodeInfo{Up: true, RTT: p.RTT.Round(10 * time.Microsecond).String(), ClockAhead: p.Ahead.Milliseconds()}
		}
	}
	var records []rooms.RoomRecord
	n.Host().Directory(func(d *rooms.Directory) {
		for _, id := range d.NodeIDs() {
			info := up[id]
			info.Name, info.ID = d.Nodes[id].Name, id.String()
			s.Nodes = append(s.Nodes, info)
		}
		for _, id := range d.RoomIDs() {
			records = append(records, d.Rooms[id])
		}
	})
	s.Directory = roomStatus(n.Host().Dir())
	s.Directory.Name = "(directory)"
	for _, rec := range records {
		f, ok := n.Host().Facts(rec.ID)
		if !ok {
			continue
		}
		st := parkedStatus(n, &rec, f)
		if r := n.Host().Get(rec.ID); r != nil {
			st = roomStatus(r)
		}
		st.Name, st.Occupants = "#"+rec.Name, f.Users
		s.Rooms = append(s.Rooms, st)
	}
	return s
}
