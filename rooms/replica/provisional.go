package replica

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// While a room is frozen its people go on talking: what they say is *provisional*. It is signed, with the counter and thus the id that it keeps
// for ever, written to the disk, shown here and told to the nodes that can be reached (rumour.go), and ordered when the room goes on. All that
// follows from one promise: the counters of what was shown never change. So a wish before it that is given up is replaced by a filler of the
// same counter, and a counter is kept free before what an author says first, in case the others took this node for gone meanwhile and the
// author has to enter again.

// Provisional is talk that is shown before it is ordered, or is taken back. What becomes an event of the same id is confirmed by that.
type Provisional struct {
	Event  *rooms.Event // Seq and Height are 0; Time is this node's own
	Cookie any          // of the wish, when it was said at this node
	Err    error        // nil: it was said; else it will not be ordered, and why
}

// place is what a counter is kept free for: to let an author enter again, or to say again behind that what was under way when the room froze.
type place struct {
	account, nick string
	enter         rooms.Enter
	again         *wish // nil: to enter
}

// open reports whether it is not known yet what takes the place.
func (w *wish) open() bool { return w.place != nil && w.req.Sig == nil }

// kept is what the disk holds of a provisional message.
type kept struct {
	_       struct{} `cbor:",toarray"`
	Request []byte
	Since   int64  // ms
	Place   uint64 // the counter kept free for its author, 0: none
	View    string // of the author's occupant, to enter with
	Real    string
}

// WatchProvisional calls f with talk that is provisional, from now on; f must not block.
func (r *Replica) WatchProvisional(f func(Provisional)) (stop func()) { return r.talks.add(f) }

func (r *Replica) showProvisional(p Provisional) {
	for _, f := range r.talks.all() {
		(*f)(p)
	}
}

// eventOf is what a request that is not ordered yet says, nil when nothing can be read from it.
func (r *Replica) eventOf(req *rooms.Request) *rooms.Event {
	body, err := req.Decode()
	if err != nil {
		return nil
	}
	return &rooms.Event{
		Room: r.id, Time: r.h.Now(), ID: req.ID(), Account: req.Account, Nick: req.Nick, Device: req.Device, Op: req.Op, Body: body,
	}
}

// submitFrozen takes a wish while the room is frozen; false: it waits like any other. Talk becomes provisional, what else people want is refused
// now rather than done at some time when nobody wants it any more; who leaves, and what the node itself wants, waits.
func (r *Replica) submitFrozen(w *wish, b rooms.Body) bool {
	if w.req.Account == "" && w.req.Nick == "" {
		return false
	}
	switch b.(type) {
	case *rooms.Leave:
		return false
	case *rooms.Say:
		if err := r.maySay(w.req.Account, w.req.Nick, r.h.self); err != nil {
			w.finish(err)
		} else {
			r.keep(w)
		}
	default:
		w.finish(errs.Frozen)
	}
	return true
}

// maySay reports whether the author may talk, by the room as it is known here: nil, errs.NotHere or errs.Denied.
func (r *Replica) maySay(account, nick string, device rooms.NodeID) error {
	st, ok := r.chain.Machine.(*rooms.State)
	switch {
	case !ok:
		return errs.Frozen
	case !st.Direct() && !present(st, account, nick, device):
		return errs.NotHere
	case !st.Decide(st.SubjectOf(account, nick, device), perms.Say, nil, r.h.Now(), r.h.view(r.h.dirHeight())).OK:
		return errs.Denied
	}
	return nil
}

// present reports whether the author is in the room from this device.
func present(st *rooms.State, account, nick string, device rooms.NodeID) bool {
	o, ok := st.Occupant(nick)
	return ok && o.Account == account && slices.Contains(o.Nodes, device)
}

// speaks reports whether the device may sign for the account, or (none) for guests, by the newest directory here.
func (r *Replica) speaks(account string, device rooms.NodeID) bool {
	if account == "" {
		return r.h.inside(device)
	}
	return r.h.view(r.h.dirHeight()).Signs(account, device)
}

// keep makes a wish provisional: it gets its counter, is written to the disk, shown, and told to others. It blocks on the disk.
func (r *Replica) keep(w *wish) {
	o := &r.out
	said, his, placed := 0, 0, false
	for _, p := range o.pending {
		if p.said {
			said++
		}
		if p.said && p.req.Account == w.req.Account && p.req.Nick == w.req.Nick {
			his++
		}
		placed = placed || p.place != nil && p.place.account == w.req.Account && p.place.nick == w.req.Nick
	}
	if said >= maxSaid || his >= maxSaidBy {
		w.finish(errs.Busy)
		return
	}
	k := kept{Since: w.since.UnixMilli()}
	add := []*wish{w}
	if st := r.chain.Machine.(*rooms.State); !placed && !st.Direct() {
		oc, _ := st.Occupant(w.req.Nick)
		k.Place, k.View, k.Real = r.counter()+uint64(len(o.pending))+1, oc.View, oc.Real
		add = r.placesFor(w, &k)
	}
	r.number(w, len(o.pending)+len(add)-1)
	if err := r.h.cfg.Store.Write([]Change{r.keptChange(w, k)}); err != nil {
		w.finish(errs.Internal)
		r.fail(fmt.Errorf("write to the disk: %w", err))
		return
	}
	o.pending = append(o.pending, add...)
	r.say(w)
}

// placesFor returns a place for the author, one for each message of the author that is under way, and the wish itself.
func (r *Replica) placesFor(w *wish, k *kept) []*wish {
	list := []*wish{r.placeFor(&w.req, k)}
	for _, p := range r.out.pending {
		if !p.fixed && p.req.Op == rooms.OpSay && p.req.Account == w.req.Account && p.req.Nick == w.req.Nick {
			again := r.placeFor(&w.req, k)
			again.req.Counter += uint64(len(list))
			again.place.again = p
			list = append(list, again)
		}
	}
	return append(list, w)
}

func (r *Replica) placeFor(req *rooms.Request, k *kept) *wish {
	p := &wish{fixed: true, since: time.UnixMilli(k.Since), place: &place{account: req.Account, nick: req.Nick, enter: rooms.Enter{View: k.View, Real: k.Real}}}
	p.req.Counter = k.Place
	return p
}

func (r *Replica) keptChange(w *wish, k kept) Change {
	k.Request = rooms.Marshal(&w.req)
	return Change{Table: Outbox, Key: roomKey(r.id, w.req.Counter), Value: rooms.Marshal(k)}
}

// say shows what is on the disk, and tells it to others.
func (r *Replica) say(w *wish) {
	w.fixed, w.said = true, true
	if ev := r.eventOf(&w.req); ev != nil {
		r.showProvisional(Provisional{Event: ev, Cookie: w.cookie})
	}
	r.spread(w)
}

// promote makes talk provisional that was under way when the room froze although enough controllers are heard. Where they are not heard, it waits
// unseen: the others may have gone on and taken this node for gone, and then it is said once more, under another id (decided).
func (r *Replica) promote() {
	var changes []Change
	var list []*wish
	for _, w := range r.out.pending {
		if !w.fixed && w.req.Op == rooms.OpSay && r.maySay(w.req.Account, w.req.Nick, r.h.self) == nil && len(list) < maxSaid {
			list = append(list, w)
			changes = append(changes, r.keptChange(w, kept{Since: w.since.UnixMilli()}))
		}
	}
	if len(list) == 0 {
		return
	}
	if err := r.h.cfg.Store.Write(changes); err != nil {
		r.fail(fmt.Errorf("write to the disk: %w", err))
		return
	}
	for _, w := range list {
		r.say(w)
	}
}

// restore takes up what was said here in an earlier life of this node and has no verdict. What an earlier life wished beside it is unknown: its
// counters are filled.
func (r *Replica) restore() {
	list, err := r.h.cfg.Store.Range(Outbox, r.id[:], after(r.id), maxPending, false)
	if err != nil {
		r.h.log.Error("what was said while the room was frozen cannot be read", "room", r.id.Short(), "err", err)
		return
	}
	for _, e := range list {
		var k kept
		w := &wish{fixed: true, said: true}
		if rooms.Unmarshal(e.Value, &k) != nil || rooms.Unmarshal(k.Request, &w.req) != nil || w.req.Counter <= r.counter() {
			r.h.cfg.Store.WriteLater([]Change{{Table: Outbox, Key: e.Key}}) // its verdict is known already
			continue
		}
		w.id, w.since = w.req.ID(), time.UnixMilli(k.Since)
		if k.Place > r.counter() {
			r.out.pending = append(r.out.pending, r.placeFor(&w.req, &k))
		}
		r.out.pending = append(r.out.pending, w)
	}
	r.renumber()
}

// filler is a wish that uses up a counter and changes nothing: nodes do not talk, so it is refused.
func (r *Replica) filler(counter uint64) *wish {
	w := &wish{fixed: true, since: time.Now()}
	r.fill(w, rooms.NewRequest(r.id, "", "", &rooms.Say{}), counter)
	return w
}

func (r *Replica) fill(w *wish, req rooms.Request, counter uint64) {
	w.req = req
	w.req.Counter = counter
	if !r.directory {
		w.req.Dir = r.h.dirHeight()
	}
	r.sign(w)
}

// fillPlaces finds out what becomes of the places, as soon as a quorum of controllers is heard again: what the others ordered meanwhile decides
// it, so the copy catches up first.
func (r *Replica) fillPlaces() {
	o := &r.out
	i := slices.IndexFunc(o.pending, (*wish).open)
	if i < 0 || o.asking || r.cut {
		return
	}
	o.asking = true
	as := reader{Account: o.pending[i].place.account, Nick: o.pending[i].place.nick}
	r.sync(&syncWait{as: as, own: true, gone: &atomic.Bool{}, done: func(err error) {
		o.asking = false
		if err == nil || errors.Is(err, errs.Denied) { // who may not read any more has been put out: let the room say so
			r.filled()
		}
	}})
}

// filled fills the places by the state of the room, takes back what cannot be signed any more, and sends the rest.
func (r *Replica) filled() {
	o := &r.out
	r.renumber()
	st := r.chain.Machine.(*rooms.State)
	for _, w := range o.pending {
		switch {
		case w.open() && w.place.again != nil && r.sayAgain(w, !present(st, w.place.account, w.place.nick, r.h.self)):
		case w.open() && (w.place.again != nil || present(st, w.place.account, w.place.nick, r.h.self)):
			r.fill(w, rooms.NewRequest(r.id, "", "", &rooms.Say{}), w.req.Counter)
		case w.open():
			r.fill(w, rooms.NewRequest(r.id, w.place.account, w.place.nick, &w.place.enter), w.req.Counter)
		}
	}
	r.disown()
	r.resend()
}

// disown takes back what this node may not sign any more: nobody orders it, and what comes behind would wait for ever. The directory here may
// learn of that later than the room went on, so it is looked at again whenever the directory moves.
func (r *Replica) disown() {
	if r.cut {
		return // the directory may be as old as the room
	}
	for i, w := range r.out.pending {
		if w.said && !r.speaks(w.req.Account, r.h.self) {
			r.withdraw(i, errs.Void)
		}
	}
}

// sayAgain puts what was under way when the room froze into its place, if it was refused, or will be, because the author is out of the room.
func (r *Replica) sayAgain(slot *wish, out bool) bool {
	w := slot.place.again
	i := slices.Index(r.out.pending, w)
	body, err := w.req.Decode()
	if err != nil || i < 0 && !w.again || i >= 0 && !out {
		return false
	}
	if i >= 0 {
		r.out.pending[i] = r.filler(w.req.Counter)
	}
	slot.cookie, slot.done, slot.place = w.cookie, w.done, nil
	r.fill(slot, rooms.NewRequest(r.id, w.req.Account, w.req.Nick, body), slot.req.Counter)
	return true
}

// reopen takes back what was decided about places that have not been ordered: the others may go on without this node now.
func (r *Replica) reopen() {
	for _, w := range r.out.pending {
		if w.place != nil {
			w.req.Sig = nil
		}
	}
	r.out.sent = 0
}

// withdraw takes back a provisional message; its counter stays used.
func (r *Replica) withdraw(i int, why error) {
	w := r.out.pending[i]
	r.out.pending[i] = r.filler(w.req.Counter)
	r.settled(w, why)
	w.finish(why)
}

// settled forgets a provisional message that has its verdict, and takes it back where that is no.
func (r *Replica) settled(w *wish, err error) {
	r.h.cfg.Store.WriteLater([]Change{{Table: Outbox, Key: roomKey(r.id, w.req.Counter)}})
	if err == nil {
		return
	}
	r.h.log.Info("a provisional message is withdrawn", "room", r.id.Short(), "author", w.req.Nick, "err", err)
	if ev := r.eventOf(&w.req); ev != nil {
		r.showProvisional(Provisional{Event: ev, Cookie: w.cookie, Err: err})
	}
}
