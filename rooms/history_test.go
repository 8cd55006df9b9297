package rooms

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"warren/perms"
	"warren/rooms/errs"
)

var people = []who{alice, bob, carol, zed, yan, {"alice", "alice", "n2"}, {"bob", "bobby", "n2"}, {"", "zoe", "n3"}, {"alice", "", "n1"}, n1}

// genBody draws a body that has a chance to be applied to the room.
func genBody(t *rapid.T, w *world) Body {
	nick := rapid.SampledFrom([]string{"alice", "Bob", "bobby", "carol", "ZED", "yan", "zoe", "new"}).Draw(t, "nick")
	prin := rapid.SampledFrom([]perms.Principal{"alice", "bob", "carol", guest("zed", "n3"), guest("zoe", "n3"), guest("yan", "n4"), "*", "+"}).Draw(t, "principal")
	rights := func(label string) perms.Rights {
		return rapid.SampledFrom([]perms.Rights{0, perms.Enter, perms.Say, perms.Insert, perms.Write, perms.Manage, perms.Sanction, perms.Annotate | perms.Delete}).Draw(t, label)
	}
	oid := rapid.SampledFrom(append(sortedKeys(w.state().Objects), "")).Draw(t, "object")
	flag := func(label string) *bool {
		return rapid.SampledFrom([]*bool{nil, ptr(true), ptr(false)}).Draw(t, label)
	}
	tags := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "D"}), 0, 3)
	var by []string
	for _, n := range []string{"n1", "n2", "n3", "n4"} {
		if slices.Contains(w.state().B.Controllers, id(n)) {
			by = append(by, n)
		}
	}
	switch rapid.SampledFrom([]Op{
		OpEnter, OpEnter, OpEnter, OpLeave, OpNick, OpSay, OpSubject, OpConfigure, OpGrant, OpGrant, OpSanction, OpPardon, OpKick, OpInvite, OpPut, OpPut, OpRemove,
		OpTag, OpKeep, OpClose, OpNodeGone, OpReconfigure,
	}).Draw(t, "op") {
	case OpEnter:
		return &Enter{View: "irc", Key: rapid.SampledFrom([][]byte{nil, []byte("proof")}).Draw(t, "key")}
	case OpLeave:
		return &Leave{Reason: "bye"}
	case OpNick:
		return &Nick{New: nick}
	case OpSay:
		return &Say{Text: rapid.StringN(0, 3, -1).Draw(t, "text")}
	case OpSubject:
		return &Subject{Text: nick}
	case OpConfigure:
		b := &Configure{TopicLock: flag("lock"), Secret: flag("secret"), Moderated: flag("moderated"), InviteOnly: flag("invite only")}
		switch rapid.IntRange(0, 3).Draw(t, "more") {
		case 0:
			b.Limit = ptr(rapid.Uint32Range(0, 3).Draw(t, "limit"))
		case 1:
			b.Key = ptr(rapid.SampledFrom([][]byte{{}, KeyVerifier([]byte("proof"))}).Draw(t, "verifier"))
		}
		return b
	case OpGrant:
		return &Grant{Object: oid, Who: prin, Allow: rights("allow"), Deny: rights("deny"), Forget: rights("forget")}
	case OpSanction:
		return &Sanction{Who: prin, Denies: rights("denies"), Until: rapid.SampledFrom([]int64{0, w.now + 3000, w.now - 1}).Draw(t, "until")}
	case OpPardon:
		return &Pardon{Who: prin}
	case OpKick:
		return &Kick{Nick: nick}
	case OpInvite:
		return &Invite{Who: prin}
	case OpPut:
		b := &Put{ID: oid, Kind: Document, Name: nick, Text: make([]byte, rapid.IntRange(0, 9).Draw(t, "size"))}
		if rapid.Bool().Draw(t, "exit") {
			b.Kind, b.Target, b.Text = Exit, "garden", nil
		}
		return b
	case OpRemove:
		return &Remove{ID: oid}
	case OpTag:
		return &Tag{ID: oid, Add: tags.Draw(t, "add"), Drop: tags.Draw(t, "drop")}
	case OpKeep:
		return &Keep{}
	case OpClose:
		return &Close{}
	case OpNodeGone:
		return w.gone(rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "gone"), by...)
	}
	to := slices.Clone(ids(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"n1", "n2", "n3", "n4"}), 1, 4, func(s string) string { return s }).Draw(t, "controllers")...))
	return w.reconfigure(w.room, to, by...)
}

// genAuthor draws somebody who is present, mostly.
func genAuthor(t *rapid.T, w *world) who {
	if nicks := w.state().Nicks(); len(nicks) > 0 && rapid.IntRange(0, 3).Draw(t, "present") > 0 {
		o := w.state().Occupants[rapid.SampledFrom(nicks).Draw(t, "occupant")]
		for _, n := range []string{"n1", "n2", "n3", "n4"} {
			if slices.Contains(o.Nodes, id(n)) {
				return who{o.Account, o.Nick, n}
			}
		}
	}
	return rapid.SampledFrom(people).Draw(t, "who")
}

// TestRandomHistories drives a small world. After each request do (see world_test.go) has checked that a refused one changed nothing and that
// the state is sound; here copies that start from a snapshot anywhere must come to the same headers, verdicts and states.
func TestRandomHistories(t *testing.T) {
	base := newWorld(t)
	dir := base.dir.Snapshot()
	applied := map[Op]int{}
	rapid.Check(t, func(rt *rapid.T) {
		d, err := RestoreChain(dir)
		if err != nil {
			rt.Fatal(err)
		}
		w := &world{t: t, dir: d, now: start}
		w.room = w.make(rapid.SampledFrom([]who{alice, zed}).Draw(rt, "maker"), CreateRoom{Name: "play", Temporary: rapid.Bool().Draw(rt, "temporary")})
		for _, p := range []who{alice, bob, zed} {
			if rapid.IntRange(0, 3).Draw(rt, "in") > 0 {
				w.in(p)
			}
		}
		var copies []*Chain
		for range rapid.IntRange(8, 32).Draw(rt, "steps") {
			if rapid.IntRange(0, 3).Draw(rt, "copy") == 0 {
				c, err := RestoreChain(w.room.Snapshot())
				if err != nil {
					rt.Fatal(err)
				}
				copies = append(copies, c)
			}
			w.now += rapid.Int64Range(0, 5000).Draw(rt, "ms")
			if rapid.IntRange(0, 20).Draw(rt, "long") == 0 {
				w.now += emptyLife
			}
			r := w.request(w.room, genAuthor(rt, w), genBody(rt, w))
			before := core(w.room.Machine)
			batch := Batch{Epoch: 1, Time: w.now, Dir: w.dir.Height, Requests: []Request{r}}
			view := w.directory().At(w.dir.Height)
			h, v, events := w.room.Run(&batch, view, VerifySignature)
			if v.At(0) != errs.OK && !bytes.Equal(before, core(w.room.Machine)) {
				rt.Fatalf("operation %d refused (%v), yet the state is another", r.Op, v.At(0))
			}
			if v.At(0) == errs.OK {
				applied[r.Op]++
			}
			sound(t, w.room)
			for i, c := range copies {
				h2, v2, ev2 := c.Run(&batch, view, VerifySignature)
				if h2 != h || !bytes.Equal(v2, v) || len(ev2) != len(events) || StateDigest(c.Machine) != StateDigest(w.room.Machine) {
					rt.Fatalf("copy %d came to another result of operation %d: %v, not %v", i, r.Op, v2, v)
				}
				for j := range ev2 {
					if !bytes.Equal(events[j].bytes(), ev2[j].bytes()) {
						rt.Fatalf("copy %d tells another event", i)
					}
				}
			}
		}
		checkTimeline(rt, w.state())
	})
	if len(applied) < len(allOps())/3 { // of the 18 of rooms; which ones is chance
		t.Errorf("applied were only %v: the histories are too tame", applied)
	}
}

// bytes is all of the event, to compare.
func (e *Event) bytes() []byte {
	return Marshal([]any{e.Room, e.Seq, e.Height, e.Time, e.ID, e.Account, e.Nick, e.Device, e.Op, e.Body, e.Gone, e.Target, e.Object})
}

// checkTimeline checks what no request may break over a whole history.
func checkTimeline(t *rapid.T, s *State) {
	principals := map[perms.Principal]bool{}
	for _, o := range s.Occupants {
		if o.Account == "" && principals[o.Principal()] {
			t.Fatalf("the guest %s is here twice", o.Nick)
		}
		principals[o.Principal()] = true
	}
	for _, a := range s.ACL {
		if a.Allow|a.Deny == 0 {
			t.Fatalf("the ACL has an entry that says nothing, of %s", a.Who)
		}
	}
}

func TestOneBatchOfManyIsTheSameAsManyOfOne(t *testing.T) {
	w := newWorld(t)
	rec := w.directory().Rooms[w.room.Room]
	a, b := NewChain(rec.ID, NewState(rec)), NewChain(rec.ID, NewState(rec))
	var rs []Request
	for i, p := range []who{alice, bob, carol, zed, yan} {
		for j, body := range []Body{&Enter{}, &Say{Text: fmt.Sprint(i)}, &Put{Kind: Document, Name: p.nick}, &Leave{}} {
			r := NewRequest(w.room.Room, p.account, p.nick, body)
			r.Counter = uint64(j + 1)
			if p.nick == "zed" {
				r.Counter += 4 // the same node as carol
			}
			r.Sign(key(p.node))
			rs = append(rs, r)
		}
	}
	view := w.directory().Now()
	_, together, evA := a.Run(&Batch{Time: w.now, Requests: rs}, view, VerifySignature)
	var evB []Event
	for i := range rs {
		_, v, ev := b.Run(&Batch{Time: w.now, Requests: rs[i : i+1]}, view, VerifySignature)
		if v.At(0) != together.At(i) {
			t.Errorf("request %d: %v alone, %v together", i, v.At(0), together.At(i))
		}
		evB = append(evB, ev...)
	}
	if len(evA) != len(evB) || len(evA) < 18 || !bytes.Equal(core(a.Machine), core(b.Machine)) {
		t.Errorf("%d and %d events, or other states", len(evA), len(evB))
	}
}
