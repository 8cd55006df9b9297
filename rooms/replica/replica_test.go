package replica

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// memStore is a Store in memory: everything is durable at once.
type memStore struct {
	mu     sync.Mutex
	m      map[Table][]Entry
	reads  map[Table]int // calls of Range
	broken bool
}

func (s *memStore) Write(cs []Change) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken {
		return errors.New("no space left")
	}
	s.WriteLater(cs)
	return nil
}

// size returns about how much memory it takes, in bytes.
func (s *memStore) size() (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.m {
		n += uint64(cap(l)) * 48
		for _, e := range l {
			n += uint64(cap(e.Key) + cap(e.Value))
		}
	}
	return n
}

// full makes writes fail.
func (s *memStore) full(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = yes
}

func (s *memStore) clone() *memStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &memStore{m: map[Table][]Entry{}}
	for t, l := range s.m {
		c.m[t] = slices.Clone(l)
	}
	return c
}

func (s *memStore) WriteLater(cs []Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range cs {
		c.Key, c.Value = slices.Clone(c.Key), slices.Clone(c.Value) // nothing of the callers' is kept
		l := s.m[c.Table]
		i, found := slices.BinarySearchFunc(l, c.Key, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
		switch {
		case c.To != nil:
			j, _ := slices.BinarySearchFunc(l, c.To, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
			l = slices.Delete(l, i, max(i, j))
		case c.Value == nil && found:
			l = slices.Delete(l, i, i+1)
		case c.Value == nil:
		case found:
			l[i] = Entry{c.Key, c.Value}
		default:
			l = slices.Insert(l, i, Entry{c.Key, c.Value})
		}
		s.m[c.Table] = l
	}
}

func (s *memStore) Get(t Table, key []byte) ([]byte, error) {
	l, _ := s.Range(t, key, append(slices.Clone(key), 0), 1, false)
	if len(l) == 0 {
		return nil, nil
	}
	return l[0].Value, nil
}

func (s *memStore) Range(t Table, from, to []byte, limit int, reverse bool) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads == nil {
		s.reads = map[Table]int{}
	}
	s.reads[t]++
	at := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(s.m[t], key, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
		return i
	}
	i, j := at(from), len(s.m[t])
	if to != nil {
		j = max(i, at(to))
	}
	if reverse {
		out := slices.Clone(s.m[t][max(i, j-limit):j])
		slices.Reverse(out)
		return out, nil
	}
	return slices.Clone(s.m[t][i:min(j, i+limit)]), nil
}

// lan connects hosts in one process.
type lan struct {
	delay time.Duration // one way
	mu    sync.Mutex
	nodes map[rooms.NodeID]*port

	mute   func(from, to rooms.NodeID) bool // frames that get lost; nil: none
	side   map[rooms.NodeID]int             // nodes on different sides do not reach each other
	topics map[string]map[*port]func(rooms.NodeID, []byte)
	alter  func(from rooms.NodeID, f *frame) bool // changes what somebody sends; false: it gets lost
	orders atomic.Int64                           // messages between controllers
	pulls  atomic.Int64

	// onPull stands between who pulls and who serves; nil: nothing does.
	onPull func(ctx context.Context, from, to rooms.NodeID, req []byte, serve func(context.Context, rooms.NodeID, []byte) ([]byte, error)) ([]byte, error)
}

type port struct {
	l     *lan
	id    rooms.NodeID
	h     *Host
	up    bool
	since time.Time
	q     chan func()
	done  chan struct{}
}

func (p *port) peer(id rooms.NodeID) *port {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	o := p.l.nodes[id]
	if o == nil || !p.reaches(o) {
		return nil
	}
	return o
}

// reaches is called with the lan's lock held.
func (p *port) reaches(o *port) bool { return o.up && p.up && p.l.side[p.id] == p.l.side[o.id] }

func (p *port) Send(to rooms.NodeID, f []byte) bool {
	p.l.mu.Lock() // a queue that is about to be closed takes nothing more
	defer p.l.mu.Unlock()
	o := p.l.nodes[to]
	if o == nil || !p.reaches(o) {
		return false
	}
	if p.l.alter != nil {
		var in frame
		if rooms.Unmarshal(f, &in) != nil || !p.l.alter(p.id, &in) {
			return true
		}
		f = rooms.Marshal(in)
	}
	arrive := func() { o.h.Frame(p.id, f) }
	if d := p.l.delay; d > 0 {
		at := time.Now().Add(d)
		arrive = func() { time.Sleep(time.Until(at)); o.h.Frame(p.id, f) }
	}
	if m := p.l.mute; m != nil && m(p.id, to) {
		return true
	}
	var in frame
	if rooms.Unmarshal(f, &in) == nil && in.Kind == frameOrder {
		p.l.orders.Add(1)
	}
	select {
	case o.q <- arrive:
		return true
	default:
		return false
	}
}

func (p *port) Pull(ctx context.Context, to rooms.NodeID, req []byte) ([]byte, error) {
	p.l.pulls.Add(1)
	o := p.peer(to)
	if o == nil {
		return nil, errs.Timeout
	}
	if f := p.l.onPull; f != nil {
		return f(ctx, p.id, to, req, o.h.ServePull)
	}
	return o.h.ServePull(ctx, p.id, req)
}

func (p *port) Alive(id rooms.NodeID) (bool, time.Time) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	o := p.l.nodes[id]
	if o == nil {
		return false, time.Time{}
	}
	return p.reaches(o), o.since
}

func (p *port) Join(topic string, f func(rooms.NodeID, []byte)) (func([]byte), func(), error) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if p.l.topics[topic] == nil {
		p.l.topics[topic] = map[*port]func(rooms.NodeID, []byte){}
	}
	p.l.topics[topic][p] = f
	publish := func(data []byte) {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		for o, f := range p.l.topics[topic] {
			if o == p || !p.reaches(o) {
				continue
			}
			select {
			case o.q <- func() { f(p.id, data) }:
			default:
			}
		}
	}
	return publish, func() {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		delete(p.l.topics[topic], p)
	}, nil
}

// split puts nodes onto a side of their own, or with none, all onto one again.
func (l *lan) split(apart ...rooms.NodeID) {
	l.mu.Lock()
	was := l.side
	l.side = map[rooms.NodeID]int{}
	for _, id := range apart {
		l.side[id] = 1
	}
	type news struct {
		h  *Host
		id rooms.NodeID
		up bool
	}
	var list []news
	for _, a := range l.nodes {
		for _, b := range l.nodes {
			before, now := was[a.id] == was[b.id], l.side[a.id] == l.side[b.id]
			if a != b && a.up && b.up && before != now {
				list = append(list, news{a.h, b.id, now})
			}
		}
	}
	l.mu.Unlock()
	for _, n := range list {
		n.h.Peer(n.id, n.up)
	}
}

func (l *lan) set(id rooms.NodeID, up bool) {
	l.mu.Lock()
	l.nodes[id].up, l.nodes[id].since = up, time.Now()
	var others []*port
	for _, o := range l.nodes {
		if o.id != id {
			others = append(others, o)
		}
	}
	l.mu.Unlock()
	for _, o := range others {
		if o.up {
			o.h.Peer(id, up)
			if up {
				l.nodes[id].h.Peer(o.id, true)
			}
		}
	}
}

type world struct {
	t       testing.TB
	lan     *lan
	genesis rooms.Genesis
	stores  map[string]*memStore
	hosts   map[string]*Host
	away    time.Duration
	adapt   func(*Config)     // what the next nodes have different; nil: nothing
	since   map[string]uint64 // directory height at which a node's disk begins
}

func key(name string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(s[:])
}

func node(name string) rooms.NodeID { return rooms.NodeOf(key(name).Public().(ed25519.PublicKey)) }

func newWorld(t testing.TB) *world {
	return &world{t: t, lan: &lan{nodes: map[rooms.NodeID]*port{}, topics: map[string]map[*port]func(rooms.NodeID, []byte){}}, stores: map[string]*memStore{}, hosts: map[string]*Host{}, since: map[string]uint64{},
		genesis: rooms.Genesis{Name: "test", Domain: "localhost", Founder: node("n1"), FounderName: "n1"}}
}

func (w *world) start(name string) *Host {
	w.t.Helper()
	if w.stores[name] == nil {
		w.stores[name] = &memStore{m: map[Table][]Entry{}}
	}
	p := &port{l: w.lan, id: node(name), up: true, since: time.Now(), q: make(chan func(), 4096), done: make(chan struct{})}
	var log *slog.Logger
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(w.t.Output(), nil)).With("node", name)
	}
	cfg := Config{Key: key(name), Genesis: w.genesis, Since: w.since[name], Store: w.stores[name], Net: p, Logger: log, Lease: 5 * time.Second, Away: w.away}
	if w.adapt != nil {
		w.adapt(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	p.h = h
	w.lan.mu.Lock()
	w.lan.nodes[p.id] = p
	w.lan.mu.Unlock()
	go func() {
		for f := range p.q {
			f()
		}
		close(p.done)
	}()
	if err := h.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.hosts[name] = h
	w.lan.set(p.id, true)
	return h
}

func (w *world) kill(name string) {
	w.lan.set(node(name), false)
	w.hosts[name].Close()
	w.lan.mu.Lock()
	p := w.lan.nodes[node(name)]
	close(p.q)
	w.lan.mu.Unlock()
	<-p.done
	delete(w.hosts, name)
}

func (w *world) close() {
	for name := range w.hosts {
		w.kill(name)
	}
}

func (w *world) admit(name string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.hosts["n1"].Order(ctx, &rooms.AdmitNode{Node: node(name), Name: name, Sponsor: "n1"}); err != nil {
		w.t.Fatalf("admit %s: %v", name, err)
	}
}

// eventually waits in virtual time.
func (w *world) eventually(what string, d time.Duration, f func() bool) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
	}
	for n, h := range w.hosts {
		for _, r := range h.Replicas() {
			s := r.Status()
			w.t.Logf("%s %s: height %d leader %s controllers %d controls %v", n, r.ID().Short(), s.Height, s.Leader.Short(), len(s.Controllers), s.Controls)
		}
	}
	w.t.Fatalf("not within %v: %s", d, what)
}

// four starts four nodes that control the directory, and makes a room that they control.
func (w *world) four(name string) (*world, rooms.RoomID) {
	w.t.Helper()
	h1 := w.start("n1")
	for _, n := range []string{"n2", "n3", "n4"} {
		w.admit(n)
		w.start(n)
	}
	w.eventually("four controllers", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: name, Temporary: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range w.hosts {
		w.eventually("every node knows the room", 10*time.Second, func() bool { _, err := h.record(id); return err == nil })
	}
	return w, id
}

// join starts one more node that knows the room.
func (w *world) join(name string, id rooms.RoomID) *Host {
	w.t.Helper()
	w.admit(name)
	h := w.start(name)
	w.eventually("the newcomer knows the room", 10*time.Second, func() bool { _, err := h.record(id); return err == nil })
	return h
}

func (w *world) name(id rooms.NodeID) string {
	for n := range w.hosts {
		if node(n) == id {
			return n
		}
	}
	w.t.Fatalf("no node %s", id.Short())
	return ""
}

// other returns one of the first four nodes that is not this one.
func (w *world) other(name string) string {
	for _, n := range []string{"n1", "n2", "n3", "n4"} {
		if n != name {
			return n
		}
	}
	return ""
}

func TestRoomGrowsSurvivesItsLeaderAndCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		if err != nil {
			t.Fatal(err)
		}
		r1, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r1.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if _, err := r1.Ask(ctx, "", "ann", &rooms.Say{Text: fmt.Sprint("one ", i)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []string{"n2", "n3", "n4", "n5"} {
			w.admit(n)
			w.start(n)
		}
		w.eventually("four controllers of room and directory", time.Minute, func() bool {
			for _, h := range w.hosts {
				if len(h.Dir().Status().Controllers) != 4 {
					return false
				}
			}
			return len(r1.Status().Controllers) == 4
		})
		w.eventually("the directory has witnessed it", time.Minute, func() bool {
			n := 0
			w.hosts["n5"].Directory(func(d *rooms.Directory) { n = len(d.Rooms[id].Now) })
			return n == 4
		})
		// A person on a node that does not control the room.
		outside := ""
		for n := range w.hosts {
			if !slices.Contains(r1.Status().Controllers, node(n)) {
				outside = n
			}
		}
		if outside == "" {
			t.Fatal("all five nodes control the room")
		}
		ro, err := w.hosts[outside].Open(ctx, id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var seen []string
		ro.Watch(func(ev *rooms.Event, _ any) {
			if b, ok := ev.Body.(*rooms.Say); ok {
				mu.Lock()
				seen = append(seen, b.Text)
				mu.Unlock()
			}
		})
		if _, err := ro.Ask(ctx, "", "bob", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		leader := r1.Status().Leader
		var name string
		for n := range w.hosts {
			if node(n) == leader {
				name = n
			}
		}
		var acked []string
		for i := range 60 {
			if i == 20 {
				w.kill(name)
			}
			if i == 40 {
				w.start(name)
			}
			text := fmt.Sprint("two ", i)
			if _, err := ro.Ask(ctx, "", "bob", &rooms.Say{Text: text}); err != nil {
				t.Fatalf("say %d: %v", i, err)
			}
			acked = append(acked, text)
		}
		mu.Lock()
		if !slices.Equal(seen, acked) {
			t.Errorf("seen %v, acknowledged %v", seen, acked)
		}
		mu.Unlock()
		want, head := ro.Head()
		w.eventually("all copies stand at the same head", time.Minute, func() bool {
			for _, h := range w.hosts {
				if r := h.Get(id); r != nil {
					if got, hd := r.Head(); got < want || got == want && hd != head {
						return false
					}
				}
			}
			return true
		})
		// The killed node was ann's: she is gone after the lease, if it was n1.
		if name == "n1" {
			w.eventually("ann is gone", 30*time.Second, func() bool {
				gone := false
				ro.View(func(s *rooms.State) { _, here := s.Occupant("ann"); gone = !here })
				return gone
			})
		}
	})
}

// Votes take a round trip, which is longer than a tick when nodes are far from each other.
func TestARoomIsFoundedFarAway(t *testing.T) {
	for _, delay := range []time.Duration{0, 80 * time.Millisecond, 150 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.close()
			h1 := w.start("n1")
			for _, n := range []string{"n2", "n3", "n4"} {
				w.admit(n)
				w.start(n)
			}
			w.eventually("four controllers of the directory", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
			w.lan.mu.Lock()
			w.lan.delay = delay
			w.lan.mu.Unlock()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := h1.Open(ctx, id, "", "ann"); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(began); d > time.Second+7*delay {
				t.Errorf("with %v one way the room was there after %v", delay, d)
			}
		})
	}
}

// While a controller was away others took its place; it must not go on believing that it has one.
func TestAReplacedControllerCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.away = 20 * time.Second
		defer w.close()
		h1 := w.start("n1")
		for _, n := range []string{"n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10"} {
			w.admit(n)
			w.start(n)
		}
		w.eventually("four controllers of the directory", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		if err != nil {
			t.Fatal(err)
		}
		r1, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		defer r1.Watch(func(*rooms.Event, any) {})()
		if _, err := r1.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		name := func(id rooms.NodeID) string {
			for n := range w.stores {
				if node(n) == id {
					return n
				}
			}
			return ""
		}
		first := slices.Clone(r1.Status().Controllers)
		// One after the other goes, n1 excepted, until of those who founded the room none that was away is left.
		var gone []string
		for _, c := range first {
			n := name(c)
			if n == "n1" {
				continue
			}
			gone = append(gone, n)
			w.kill(n)
			w.eventually(n+" is replaced", 2*time.Minute, func() bool {
				s := r1.Status()
				known := false
				h1.Directory(func(d *rooms.Directory) { known = slices.Equal(d.Rooms[id].Now, s.Controllers) })
				return known && len(s.Controllers) == 4 && !slices.Contains(s.Controllers, c) && !slices.Contains(h1.Dir().Status().Controllers, c)
			})
		}
		for i := range 10 {
			if _, err := r1.Ask(ctx, "", "ann", &rooms.Say{Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range gone {
			h := w.start(n)
			short, stop := context.WithTimeout(ctx, 10*time.Second)
			if _, err := h.Open(short, id, "", "bob"); err != nil {
				t.Errorf("%s opens the room: %v", n, err)
			}
			stop()
		}
		w.eventually("all copies stand at the same head", time.Minute, func() bool {
			want, _ := r1.Head()
			dir, _ := h1.Dir().Head()
			for _, h := range w.hosts {
				if d, _ := h.Dir().Head(); d != dir {
					return false
				}
				if r := h.Get(id); r != nil {
					if got, _ := r.Head(); got != want {
						return false
					}
				}
			}
			return true
		})
	})
}

func TestARestartedNodeLearnsWhoLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.start("n1")
		for _, n := range []string{"n2", "n3", "n4", "n5", "n6"} {
			w.admit(n)
			w.start(n)
		}
		w.eventually("four controllers of the directory", time.Minute, func() bool { return len(w.hosts["n6"].Dir().Status().Controllers) == 4 })
		outside := ""
		for n, h := range w.hosts {
			if !h.Dir().Status().Controls {
				outside = n
			}
		}
		w.kill(outside)
		h := w.start(outside)
		w.eventually("it knows who leads the directory, though nothing is ordered", 10*time.Second, func() bool { return !h.Dir().Status().Leader.IsZero() })
	})
}

func TestAReaderWithoutRightsGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		accKey := key("alice")
		pub := rooms.NodeOf(accKey.Public().(ed25519.PublicKey))
		reg := &rooms.Register{Name: "alice", Key: pub, Device: node("n1")}
		reg.Sig = ed25519.Sign(accKey, rooms.AccountDigest(w.genesis.Directory(), "register", "alice", pub, node("n1"), 0))
		if err := h1.Order(ctx, reg); err != nil {
			t.Fatal(err)
		}
		id, err := h1.Create(ctx, "alice", "alice", rooms.CreateRoom{Name: rooms.InventoryName("alice"), Members: []perms.Principal{"alice"}})
		if err != nil {
			t.Fatal(err)
		}
		r1, err := h1.Open(ctx, id, "alice", "alice")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r1.Ask(ctx, "alice", "alice", &rooms.Put{Kind: rooms.Document, Name: "diary", Text: []byte("secret")}); err != nil {
			t.Fatal(err)
		}
		w.admit("n2")
		h2 := w.start("n2")
		w.eventually("the room is known at n2", 10*time.Second, func() bool {
			known := false
			h2.Directory(func(d *rooms.Directory) { _, known = d.Rooms[id] })
			return known
		})
		short, stop := context.WithTimeout(ctx, 3*time.Second)
		defer stop()
		// n2 claims to read for alice, whose device it is not; then for a guest; then asks the disk directly.
		if _, err := h2.Open(short, id, "alice", "alice"); !errors.Is(err, errs.Denied) {
			t.Errorf("open in alice's name from a node that is not hers: %v", err)
		}
		if _, err := h2.Open(short, id, "", "mallory"); !errors.Is(err, errs.Denied) {
			t.Errorf("open as a guest: %v", err)
		}
		for _, as := range []reader{{}, {Account: "alice", Nick: "alice"}, {Nick: "alice"}} {
			data, err := h1.ServePull(ctx, node("n2"), rooms.Marshal(pull{Room: id, For: as}))
			var p pulled
			if err != nil || rooms.Unmarshal(data, &p) != nil || !p.Denied || len(p.Decisions) > 0 {
				t.Errorf("pull as %+v: %v %+v", as, err, p)
			}
		}
		if h, _ := h2.Get(id).Head(); h != 0 {
			t.Errorf("n2 holds %d decisions of a room it may not read", h)
		}
	})
}
