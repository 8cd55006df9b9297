package bridge

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"warren/rooms"
)

// Archive remembers how far each account has been shown its conversations of two. All methods are safe for concurrent use and called with
// locks held: they should answer at once. What is forgotten by a crash is shown again.
type Archive interface {
	// Seen returns the sequence number of the last event of the room that the account was shown, 0 for none.
	Seen(account string, room rooms.RoomID) uint64
	// See notes it.
	See(account string, room rooms.RoomID, seq uint64)
	// Forget drops what is noted of a room that is no more.
	Forget(room rooms.RoomID)
}

// Limits of what nodes tell each other of it.
const (
	maxSeen      = 512                    // marks in one message
	seenPatience = 500 * time.Millisecond // for the answers of the account's other nodes
)

// seenNews tells the other nodes at which an account may log in how far it has been shown its conversations.
type seenNews struct {
	_       struct{} `cbor:",toarray"`
	Account string
	Ask     bool // tell me all that you know of the account
	Last    bool // that was all
	Marks   []seenMark
}

type seenMark struct {
	_    struct{} `cbor:",toarray"`
	Room rooms.RoomID
	Seq  uint64
}

type seenKey struct {
	account string
	room    rooms.RoomID
}

// seen returns how far the account has been shown the room.
func (h *Hub) seen(account string, room rooms.RoomID) uint64 { return h.archive.Seen(account, room) }

// saw notes that the account was shown the room up to seq, and tells its other nodes. It does not block.
func (h *Hub) saw(account string, room rooms.RoomID, seq uint64) {
	if h.mark(account, room, seq) {
		h.users.tellSeen(account, room, seq)
	}
}

// mark raises a mark; false: it was there already.
func (h *Hub) mark(account string, room rooms.RoomID, seq uint64) bool {
	h.seenMu.Lock()
	defer h.seenMu.Unlock()
	if account == "" || seq <= h.archive.Seen(account, room) {
		return false
	}
	h.archive.See(account, room, seq)
	return true
}

// homes returns the other nodes that may speak for an account.
func (h *Hub) homes(account string) []rooms.NodeID {
	var out []rooms.NodeID
	h.world.Directory(func(d *rooms.Directory) {
		for _, v := range d.Accounts[account].Devices {
			if v.To == 0 && v.Key != h.world.Self() {
				out = append(out, v.Key)
			}
		}
	})
	return out
}

// tellSeen has the account's other nodes told, soon. It does not block; what is too much is dropped, and asked for at the next login.
func (p *presence) tellSeen(account string, room rooms.RoomID, seq uint64) {
	if p.wire == nil {
		return
	}
	p.mu.Lock()
	if _, known := p.seen[seenKey{account, room}]; known || len(p.seen) < maxSeen {
		p.seen[seenKey{account, room}] = seq
	}
	p.mu.Unlock()
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

// sendSeen tells what tellSeen gathered.
func (p *presence) sendSeen() {
	p.mu.Lock()
	all := p.seen
	p.seen = map[seenKey]uint64{}
	p.mu.Unlock()
	by := map[string][]seenMark{}
	for _, k := range slices.SortedFunc(maps.Keys(all), func(a, b seenKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), slices.Compare(a.room[:], b.room[:]))
	}) {
		by[k.account] = append(by[k.account], seenMark{Room: k.room, Seq: all[k]})
	}
	for _, account := range slices.Sorted(maps.Keys(by)) {
		data := rooms.Marshal(news{Seen: &seenNews{Account: account, Marks: by[account]}})
		for _, n := range p.hub.homes(account) {
			p.wire.Send(n, data)
		}
	}
}

// askSeen asks the account's other nodes how far it has been shown its conversations there, and waits a moment for their answers.
func (p *presence) askSeen(ctx context.Context, account string) {
	if p.wire == nil {
		return
	}
	q := &seenQuestion{account: account, left: map[rooms.NodeID]bool{}, done: make(chan struct{})}
	p.mu.Lock()
	for _, n := range p.hub.homes(account) {
		if p.up[n] {
			q.left[n] = true
		}
	}
	asked := slices.Collect(maps.Keys(q.left))
	if len(asked) == 0 {
		p.mu.Unlock()
		return
	}
	p.asking[q] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.asking, q)
	}()
	data := rooms.Marshal(news{Seen: &seenNews{Account: account, Ask: true}})
	for _, n := range asked {
		p.wire.Send(n, data)
	}
	wait := time.NewTimer(seenPatience)
	defer wait.Stop()
	select {
	case <-q.done:
	case <-wait.C:
	case <-ctx.Done():
	}
}

type seenQuestion struct {
	account string
	left    map[rooms.NodeID]bool // who has not answered
	done    chan struct{}         // closed when all have
}

// seenElsewhere takes what another node tells or asks. The account's devices alone may: nobody else learns what she reads, or makes her miss it.
func (p *presence) seenElsewhere(from rooms.NodeID, m *seenNews) {
	ok := false
	p.hub.world.Directory(func(d *rooms.Directory) {
		ok = d.Now().Signs(m.Account, from) && d.Now().Signs(m.Account, p.hub.world.Self())
	})
	switch {
	case !ok:
	case m.Ask:
		p.answerSeen(from, m.Account)
	default:
		for _, k := range m.Marks {
			p.hub.mark(m.Account, k.Room, k.Seq)
		}
		if m.Last {
			p.answered(from, m.Account)
		}
	}
}

func (p *presence) answerSeen(to rooms.NodeID, account string) {
	var marks []seenMark
	for _, r := range p.hub.directsOf(rooms.PrincipalOf(account, "", to)) {
		if seq := p.hub.seen(account, r.ID); seq > 0 {
			marks = append(marks, seenMark{Room: r.ID, Seq: seq})
		}
	}
	for part := range slices.Chunk(marks, maxSeen) {
		p.wire.Send(to, rooms.Marshal(news{Seen: &seenNews{Account: account, Marks: part}}))
	}
	p.wire.Send(to, rooms.Marshal(news{Seen: &seenNews{Account: account, Last: true}}))
}

func (p *presence) answered(from rooms.NodeID, account string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := range p.asking {
		if q.account == account && q.left[from] {
			if delete(q.left, from); len(q.left) == 0 {
				close(q.done)
			}
		}
	}
}

// memoryArchive is an Archive that forgets everything with the process.
type memoryArchive struct {
	mu sync.Mutex
	m  map[seenKey]uint64
}

func (a *memoryArchive) Seen(account string, room rooms.RoomID) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.m[seenKey{account, room}]
}

func (a *memoryArchive) See(account string, room rooms.RoomID, seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.m[seenKey{account, room}] = seq
}

func (a *memoryArchive) Forget(room rooms.RoomID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.m, func(k seenKey, _ uint64) bool { return k.room == room })
}
