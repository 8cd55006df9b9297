package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"warren/bridge"
	"warren/bridge/login"
	"warren/node"
	"warren/node/account"
	"warren/node/store"
	"warren/rooms"
	"warren/rooms/replica"
)

// world shows the node to the bridge in the bridge's words.
type world struct{ n *node.Node }

func (w world) Self() rooms.NodeID                 { return w.n.ID() }
func (w world) Genesis() rooms.Genesis             { return w.n.Genesis() }
func (w world) Now() int64                         { return w.n.Host().Now() }
func (w world) Directory(f func(*rooms.Directory)) { w.n.Host().Directory(f) }

func (w world) WatchDirectory(f func(*rooms.Event)) func() {
	return w.n.Host().Dir().Watch(func(ev *rooms.Event, _ any) { f(ev) })
}

func (w world) Open(ctx context.Context, id rooms.RoomID, account, nick string) (bridge.Room, error) {
	r, err := w.n.Host().Open(ctx, id, account, nick)
	if err != nil {
		return nil, err
	}
	return room{w.n, r}, nil
}

// Glance implements bridge.World.
func (w world) Glance(id rooms.RoomID) (bridge.Glance, bool) {
	f, ok := w.n.Host().Facts(id)
	return bridge.Glance{Users: f.Users, Subject: f.Subject, SubjectTime: f.SubjectTime, Open: f.Open, Hidden: f.Hidden}, ok
}

func (w world) Create(ctx context.Context, account, nick string, b rooms.CreateRoom) (rooms.RoomID, error) {
	return w.n.Host().Create(ctx, account, nick, b)
}

// room shows a copy of a room to the bridge.
type room struct {
	n *node.Node
	r *replica.Replica
}

func (r room) ID() rooms.RoomID               { return r.r.ID() }
func (r room) View(f func(*rooms.State))      { r.r.View(f) }
func (r room) Sync(ctx context.Context) error { return r.r.Sync(ctx) }
func (r room) Signal(data []byte)             { r.r.Signal(data) }

func (r room) Submit(account, nick string, b rooms.Body, cookie any, done func(bridge.Outcome)) {
	r.r.Submit(account, nick, b, cookie, func(o replica.Outcome) {
		if done != nil {
			done(bridge.Outcome{ID: o.ID, Err: o.Err})
		}
	})
}

func (r room) Watch(f func(*rooms.Event, any)) func() { return r.r.Watch(f) }

func (r room) WatchFrozen(f func(bool)) func() { return r.r.WatchFrozen(f) }

func (r room) WatchTicks(f func(bridge.Tick)) func() {
	return r.r.WatchTicks(func(t replica.Tick) { f(bridge.Tick{Height: t.Height, Time: t.Time}) })
}

func (r room) WatchProvisional(f func(bridge.Provisional)) func() {
	return r.r.WatchProvisional(func(p replica.Provisional) { f(bridge.Provisional{Event: p.Event, Cookie: p.Cookie, Err: p.Err}) })
}

func (r room) WatchSignals(f func(rooms.NodeID, []byte)) func() { return r.r.WatchSignals(f) }

func (r room) History(ctx context.Context, q bridge.HistoryQuery) ([]rooms.Event, error) {
	return r.r.Events(ctx, replica.Query{
		AfterSeq: q.AfterSeq, BeforeSeq: q.BeforeSeq, AfterTime: q.AfterTime, BeforeTime: q.BeforeTime, Limit: q.Cap(), Newest: q.Newest, Ops: q.Ops,
	})
}

func (r room) Find(ctx context.Context, id string) (rooms.Event, error) { return r.r.Find(ctx, id) }

func (r room) Status() bridge.RoomStatus { return roomStatus(r.r) }

func texts(list []rooms.NodeID) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.String()
	}
	return out
}

func roomStatus(r *replica.Replica) bridge.RoomStatus {
	st := r.Status()
	s := bridge.RoomStatus{
		ID: r.ID().String(), Epoch: st.Epoch, Height: st.Height, LastHeader: st.Head.String(), LeaderID: st.Leader, ControlIDs: st.Controllers,
		Frozen: st.Frozen || st.Leader.IsZero(), Controllers: texts(st.Controllers), LastCert: st.Signers,
	}
	if !st.Leader.IsZero() {
		s.Leader = st.Leader.String()
	}
	for _, c := range st.Charges {
		s.Charges = append(s.Charges, bridge.Charge{
			Node: c.Node.String(), NodeID: c.Node, Misdeed: c.Misdeed.String(), Count: c.Count, Last: c.Last, Evidence: c.Evidence, Proven: len(c.Proof) > 0,
		})
	}
	return s
}

// parkedStatus tells how a room stands that is not in memory: by the directory and by what is known of it from before.
func parkedStatus(n *node.Node, rec *rooms.RoomRecord, f replica.Facts) bridge.RoomStatus {
	s := bridge.RoomStatus{ID: rec.ID.String(), Parked: true, Epoch: f.Epoch, Height: f.Height, LeaderID: f.Leader, ControlIDs: rec.Now, Controllers: texts(rec.Now)}
	if !f.Leader.IsZero() {
		s.Leader = f.Leader.String()
	}
	heard := 0
	for _, c := range rec.Now {
		if n.Host().Alive(c) {
			heard++
		}
	}
	s.Frozen = heard < rooms.Quorum(len(rec.Now))
	return s
}

// finder shows the node's search to the bridge.
type finder struct{ n *node.Node }

func (f finder) Find(ctx context.Context, expr, account, nick string) ([]bridge.Found, error) {
	out, _, err := f.FindCounted(ctx, expr, account, nick)
	return out, err
}

// FindCounted implements command.Counter: it also tells how many nodes answered.
func (f finder) FindCounted(ctx context.Context, expr, account, nick string) ([]bridge.Found, int, error) {
	hits, answered, err := f.n.Finder().Find(ctx, expr, account, nick)
	var out []bridge.Found
	for _, h := range hits {
		out = append(out, bridge.Found{Room: h.Room, Kind: h.Kind, Name: h.Name, Owner: h.Owner, Tags: h.Tags})
	}
	return out, answered, err
}

func (f finder) Tags() map[string]int { return f.n.Finder().Tags() }

// accounts shows the node's accounts to the bridge's logins.
type accounts struct {
	a     *account.Accounts
	decoy []byte
}

func accountsOf(n *node.Node) accounts { return accounts{n.Accounts(), n.Secret("decoy")} }

// DecoySecret implements login.Decoys.
func (a accounts) DecoySecret() []byte { return a.decoy }

func (a accounts) Verify(ctx context.Context, name, password string) (string, error) {
	name, err := a.a.Verify(ctx, name, password)
	return name, loginError(err)
}

func (a accounts) Register(ctx context.Context, name, password string) (string, error) {
	name, err := a.a.Register(ctx, name, password)
	return name, loginError(err)
}

func (a accounts) Scram(ctx context.Context, name string, h login.Hash) (string, login.ScramKeys, error) {
	name, k, err := a.a.Scram(ctx, name, string(h))
	return name, login.ScramKeys{Salt: k.Salt, Iterations: k.Iterations, StoredKey: k.StoredKey, ServerKey: k.ServerKey}, loginError(err)
}

// loginError gives the node's errors the bridge's names.
func loginError(err error) error {
	for from, to := range map[error]error{
		account.ErrCredentials: login.ErrCredentials, account.ErrElsewhere: login.ErrMechanism, account.ErrExists: login.ErrExists,
		account.ErrName: login.ErrName, account.ErrPassword: login.ErrPassword, account.ErrClosed: login.ErrClosed, account.ErrBusy: login.ErrBusy,
		account.ErrUnreachable: login.ErrUnreachable,
	} {
		if errors.Is(err, from) {
			return fmt.Errorf("%w", to)
		}
	}
	return err
}

// seenMarks keeps in the node's store how far accounts have been shown their conversations.
type seenMarks struct{ s *store.Store }

func (a seenMarks) Seen(account string, room rooms.RoomID) uint64 {
	v, err := a.s.Get(store.Archive, seenKey(account, room))
	if err != nil || len(v) != 8 {
		return 0 // a disk that cannot be read stops the node elsewhere
	}
	return binary.BigEndian.Uint64(v)
}

func (a seenMarks) See(account string, room rooms.RoomID, seq uint64) {
	b := &store.Batch{}
	b.Put(store.Archive, seenKey(account, room), binary.BigEndian.AppendUint64(nil, seq))
	a.s.CommitLater(b, func(error) {})
}

func (a seenMarks) Forget(room rooms.RoomID) {
	b := &store.Batch{}
	b.DeleteRange(store.Archive, room[:], seenKey("\xff", room)) // accounts' names are UTF-8
	a.s.CommitLater(b, func(error) {})
}

func seenKey(account string, room rooms.RoomID) []byte { return append(room[:], account...) }

// rosters keeps contact lists in the node's store.
type rosters struct{ s *store.Store }

func (r rosters) Load(_ context.Context, account string) ([]byte, error) {
	return r.s.Get(store.Roster, []byte(account))
}

func (r rosters) Save(_ context.Context, account string, data []byte) error {
	b := &store.Batch{}
	b.Put(store.Roster, []byte(account), data)
	return r.s.Commit(b)
}
