package rooms

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// certifiedLog is a room's log with certificates: n decisions, with a change of controllers at each of the heights of turns, to the nodes named there.
func certifiedLog(t testing.TB, w *world, n int, turns map[int][]string) (log []Decision, snapshots map[uint64][]byte) {
	t.Helper()
	by, since := []string{"n1"}, uint64(0)
	snapshots = map[uint64][]byte{}
	for i := 1; i <= n; i++ {
		w.now += 1000
		var r Request
		to, turn := turns[i]
		if turn {
			body := &Reconfigure{Since: since, Controllers: ids(to...)}
			for _, name := range by {
				body.Endorsed = append(body.Endorsed, Endorse(w.room.Room, KindReconfigure, body.Thing(), w.now, key(name)))
			}
			for _, name := range to {
				if !slices.Contains(by, name) {
					body.Consents = append(body.Consents, MakeConsent(w.room.Room, since, uint64(i-1), key(name)))
				}
			}
			r = w.request(w.room, n1, body)
		} else {
			r = w.request(w.room, alice, &Subject{Text: "x"})
		}
		d := Decision{Batch: Batch{Epoch: 1, Height: uint64(i), Time: w.now, Dir: w.dir.Height, Requests: []Request{r}}}
		d.Header, d.Verdicts, _ = w.room.Run(&d.Batch, w.directory().Now(), VerifySignature)
		var sigs []Signature
		for _, name := range by[:Quorum(len(by))] {
			sigs = append(sigs, SignHeader(d.Header.Hash(), key(name)))
		}
		d.Cert = MakeCertificate(sigs)
		log = append(log, d)
		if turn {
			if d.Verdicts.At(0) != 0 {
				t.Fatalf("the change at %d: %v", i, d.Verdicts.At(0))
			}
			by, since = to, uint64(i)
		}
		snapshots[uint64(i)] = w.room.Snapshot()
	}
	return log, snapshots
}

// proofOf shows the header at a height by the log up to top.
func proofOf(log []Decision, at, top uint64, changes ...uint64) *Proof {
	p := &Proof{Header: log[at-1].Header, Cert: log[top-1].Cert}
	for h := at + 1; h <= top; h++ {
		p.Above = append(p.Above, log[h-1].Header)
	}
	for _, h := range changes {
		p.Changes = append(p.Changes, log[h-1])
	}
	return p
}

func TestProof(t *testing.T) {
	w := newWorld(t).in(alice)
	rec := w.directory().Rooms[w.room.Room]
	w.room.Height, w.room.Head = 0, rec.ID
	rec.Floor, rec.FloorHead = 0, rec.ID
	log, _ := certifiedLog(t, w, 30, map[int][]string{10: {"n1", "n2", "n3"}, 20: {"n1", "n2", "n4"}})
	witnessed := func(h uint64) RoomRecord { // the record after the directory was told of the changes up to h
		r := rec
		for i := range log[:h] {
			if rc, ok := log[i].ReconfigureOf(); ok {
				r.Now, r.Since, r.Floor, r.FloorHead = rc.Controllers, log[i].Header.Height, log[i].Header.Height, log[i].Header.Hash()
			}
		}
		return r
	}
	for name, c := range map[string]struct {
		p    *Proof
		rec  RoomRecord
		want error
	}{
		"by the founders":                              {proofOf(log, 5, 5), witnessed(0), nil},
		"by a later header of theirs":                  {proofOf(log, 5, 10), witnessed(0), nil},
		"by those who came after":                      {proofOf(log, 15, 15), witnessed(10), nil},
		"by the header that the directory names":       {proofOf(log, 5, 10), witnessed(10), nil},
		"by a header above it":                         {proofOf(log, 5, 12), witnessed(10), nil},
		"by a change that the directory does not know": {proofOf(log, 15, 15, 10), witnessed(0), nil},
		"by two of them":                               {proofOf(log, 25, 25, 10, 20), witnessed(0), nil},
		"by those who are relieved":                    {proofOf(log, 5, 5), witnessed(10), ErrUnproven},
		"by those who were relieved unseen":            {proofOf(log, 15, 15), witnessed(20), ErrUnproven},
		"without the change":                           {proofOf(log, 15, 15), witnessed(0), ErrNoQuorum},
		"without the first change":                     {proofOf(log, 25, 25, 20), witnessed(0), ErrUnproven},
		"with a change that is none":                   {proofOf(log, 15, 15, 9), witnessed(0), ErrUnproven},
		"below a change that it shows":                 {proofOf(log, 5, 5, 10), witnessed(0), ErrUnproven},
		"with a link missing": {func() *Proof {
			p := proofOf(log, 5, 12)
			p.Above = slices.Delete(p.Above, 2, 3)
			return p
		}(), witnessed(10), ErrUnproven},
		"too long": {&Proof{Header: log[4].Header, Above: make([]Header, MaxAbove+1)}, witnessed(0), ErrUnproven},
		"of another room": {func() *Proof {
			p := proofOf(log, 5, 5)
			p.Header.Room[0]++
			return p
		}(), witnessed(0), ErrUnproven},
		"another header": {func() *Proof {
			p := proofOf(log, 15, 15)
			p.Header.State[0]++
			return p
		}(), witnessed(10), ErrBadSignature},
	} {
		if err := c.p.Check(&c.rec); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestRestoreAt(t *testing.T) {
	w := newWorld(t).in(alice)
	w.room.Height, w.room.Head = 0, w.room.Room
	log, snapshots := certifiedLog(t, w, CheckpointEvery+1, nil)
	h := log[CheckpointEvery-1].Header
	data := snapshots[CheckpointEvery]
	c, err := RestoreAt(&h, data)
	if err != nil || c.Height != CheckpointEvery {
		t.Fatal(err)
	}
	if err := c.Check(&log[CheckpointEvery]); err != nil {
		t.Errorf("the next decision: %v", err)
	}
	if _, err := RestoreAt(&log[9].Header, snapshots[10]); err == nil {
		t.Error("a state that nobody signed was taken")
	}
	rapid.Check(t, func(t *rapid.T) {
		bad := bytes.Clone(data)
		i := rapid.IntRange(0, len(bad)-1).Draw(t, "byte")
		bad[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		if _, err := RestoreAt(&h, bad); err == nil {
			t.Fatalf("byte %d is another, and the state was taken", i)
		}
	})
}

func TestDescent(t *testing.T) {
	w := newWorld(t).in(alice)
	w.room.Height, w.room.Head = 0, w.room.Room
	log, _ := certifiedLog(t, w, 30, map[int][]string{10: {"n1", "n2", "n3"}, 20: {"n1", "n2", "n4"}})
	founders := ids("n1")
	set := func(since uint64) []NodeID {
		if since == 0 {
			return founders
		}
		rc, _ := log[since-1].ReconfigureOf()
		return rc.Controllers
	}
	s := NewDescent(w.room)
	for i := len(log) - 1; i >= 0; i-- {
		d := log[i]
		for name, spoil := range map[string]func(*Decision){
			"nobody's signature":  func(d *Decision) { d.Cert = MakeCertificate([]Signature{SignHeader(d.Header.Hash(), key("nobody"))}) },
			"no signature":        func(d *Decision) { d.Cert = nil },
			"other words":         func(d *Decision) { d.Batch.Time++ },
			"another verdict":     func(d *Decision) { d.Verdicts = Verdicts{1} },
			"another header":      func(d *Decision) { d.Header.Time++ },
			"the decision before": func(d *Decision) { *d = log[max(0, i-1)]; d.Header.Height += 5 },
		} {
			bad, at := d, s
			spoil(&bad)
			if err := at.Take(&bad, set); err == nil {
				t.Errorf("height %d with %s was taken", d.Header.Height, name)
			}
		}
		if err := s.Take(&d, set); err != nil {
			t.Fatalf("height %d: %v", d.Header.Height, err)
		}
	}
	if s.Height != 0 || s.Head != w.room.Room {
		t.Errorf("it ends at %d, %s", s.Height, s.Head.Short())
	}
	if err := s.Take(&log[0], set); err == nil {
		t.Error("something was taken below the founding")
	}
}
