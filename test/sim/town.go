package main

import (
	"crypto/ed25519"
	"fmt"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// town is the directory of a schedule: the real reducer, in hands that never fail. Nodes learn of its versions at different times, and what they ask of it
// may be lost, late or doubled.
type town struct {
	w       *world
	chain   *rooms.Chain
	dir     *rooms.Directory
	base    uint64 // version with which the schedule begins
	top     uint64 // the newest version that nodes are told of
	grown   int    // versions that only let time pass
	records []recordAt
}

// recordAt is the room's record from a version on.
type recordAt struct {
	version uint64
	rec     rooms.RoomRecord
}

// manager is the account that made the room, and may have it begin anew. All nodes are its devices.
const manager = "alice"

// foundTown makes the directory: the nodes are inside, the account is registered, the room exists.
func foundTown(w *world) *town {
	t := &town{w: w}
	g := rooms.Genesis{Name: "sim", Domain: "localhost", Founder: nodeOf(townKey), FounderName: "town", Time: epochStart}
	t.dir = rooms.NewDirectory(g)
	t.chain = rooms.NewChain(g.Directory(), t.dir)
	account := nodeOf(accountKey)
	for i, n := range w.nodes {
		t.must(townKey, "", &rooms.AdmitNode{Node: n.id, Name: fmt.Sprint("n", i)})
		if i == 0 {
			b := &rooms.Register{Name: manager, Key: account, Device: n.id}
			b.Sig = ed25519.Sign(accountKey, rooms.AccountDigest(t.chain.Room, "register", manager, account, n.id, 0))
			t.must(keys[i], "", b)
			continue
		}
		b := &rooms.AddDevice{Account: manager, Device: n.id, Nonce: uint64(i)}
		b.Sig = ed25519.Sign(accountKey, rooms.AccountDigest(t.chain.Room, "device", manager, account, n.id, b.Nonce))
		t.must(townKey, "", b)
	}
	t.must(keys[0], manager, &rooms.CreateRoom{Name: "sim", Maker: perms.Account(manager), Controllers: w.ids(w.plan.stages[0])})
	t.base, t.top = t.chain.Height, t.chain.Height
	w.room = t.dir.RoomIDs()[0]
	t.note()
	return t
}

// order puts one request in order at once.
func (t *town) order(key ed25519.PrivateKey, account string, body rooms.Body) errs.Kind {
	r := rooms.NewRequest(t.chain.Room, account, "", body)
	r.Device = nodeOf(key)
	r.Counter = t.dir.B.Counters[r.Device] + 1
	r.Dir = t.chain.Height
	b := rooms.Batch{Epoch: 1, Time: epochStart + t.w.now, Requests: []rooms.Request{r}}
	_, v, _ := t.chain.Run(&b, nil, func(*rooms.Request, rooms.Hash) bool { return true })
	return v.At(0)
}

func (t *town) must(key ed25519.PrivateKey, account string, body rooms.Body) {
	if k := t.order(key, account, body); k != errs.OK {
		t.w.fail(fmt.Errorf("the directory refuses %T: %w", body, k))
	}
}

func (t *town) note() {
	t.records = append(t.records, recordAt{t.chain.Height, t.dir.Rooms[t.w.room]})
}

// now is the room's record in the newest version.
func (t *town) now() *rooms.RoomRecord { return &t.records[len(t.records)-1].rec }

// record is what a node knows of the room that has the directory up to a version.
func (t *town) record(version uint64) rooms.RoomRecord {
	i := len(t.records) - 1
	for i > 0 && t.records[i].version > version {
		i--
	}
	return t.records[i].rec
}

// epochs returns the room's epochs after the first.
func (t *town) epochs() []rooms.EpochRecord { return t.now().Epochs }

// grow makes a version that changes nothing for the room.
func (t *town) grow() {
	t.grown++
	t.must(townKey, "", &rooms.LabelNode{Label: fmt.Sprint(t.grown)})
}

// spread lets all nodes learn of the newest version, each in its time.
func (t *town) spread() {
	t.top = t.chain.Height
	v := t.top
	for _, n := range t.w.nodes {
		t.w.after(int64(t.w.rng.IntN(1500)), func() { n.learnDirectory(v) })
	}
}

// ask lets a node ask the directory for something about the room.
func (t *town) ask(n *node, body rooms.Body) {
	w := t.w
	if n.apart || !w.healed && w.rng.IntN(1000) < w.plan.loss {
		return
	}
	times := 1
	if !w.healed && w.rng.IntN(1000) < w.plan.double {
		times = 2
	}
	for range times {
		w.after(int64(1+w.rng.IntN(4*w.plan.delay)), func() { t.change(keys[n.i], "", body) })
	}
}

// change orders something about the room.
func (t *town) change(key ed25519.PrivateKey, account string, body rooms.Body) errs.Kind {
	k := t.order(key, account, body)
	t.w.tr.say(t.w.now, "the directory orders %T of an account %q: %v", body, account, k)
	t.w.tr.add(t.w.now, 't', int(k), 0, rooms.Marshal(body))
	if k != errs.OK {
		return k
	}
	t.note()
	if b, ok := body.(*rooms.NewEpoch); ok {
		e := t.epochs()[len(t.epochs())-1]
		t.w.st.epochs++
		t.w.st.carried += len(e.Carried)
		t.w.tr.say(t.w.now, "epoch %d starts at height %d, %d carried over, %d of %d silent, by %q", b.Epoch, e.Start, len(e.Carried), len(e.Silent), e.Of, e.By)
	}
	t.spread()
	return k
}

// view is the directory as rooms see it in one version: everybody but the last node is inside from the start, the last one from the version after the
// first on.
type view struct {
	rooms.View
	w *world
	v uint64
}

func (w *world) view(v uint64) rooms.View { return view{w.town.dir.At(v), w, v} }

func (v view) Node(id rooms.NodeID) (rooms.NodeRecord, bool) {
	n := v.w.byID[id]
	if n == nil || n.i == len(v.w.nodes)-1 && len(v.w.nodes) > 1 && v.v <= v.w.town.base {
		return rooms.NodeRecord{}, false
	}
	return rooms.NodeRecord{ID: id}, true
}
