package rooms

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"warren/rooms/errs"
)

// byRescuer orders a request of n3 in the directory, which n3 alone controls after a rescue.
func (w *world) byRescuer(c *Chain, b Body) *Decision {
	batch := Batch{Epoch: c.Epoch, Time: w.now, Requests: []Request{w.uncounted(c, who{node: "n3"}, b)}}
	h, v, _ := c.Run(&batch, nil, VerifySignature)
	return &Decision{Header: h, Batch: batch, Verdicts: v, Cert: certify(h.Hash(), "n3")}
}

func TestRescue(t *testing.T) {
	w := newWorld(t)
	snap := w.dir.Snapshot()
	r := Rescue{Epoch: 2, Start: w.dir.Height, Head: w.dir.Head, Controllers: ids("n3")}
	r.Sign(w.dir.Room, key("n1"))
	if w.dir.LearnRescue(&r) {
		t.Fatal("signed by another key, it is believed")
	}
	r.Sign(w.dir.Room, key("recovery"))
	if !w.dir.LearnRescue(&r) || w.dir.LearnRescue(&r) || !w.dir.Unbegun() || !slices.Equal(w.directory().B.Controllers, ids("n3")) {
		t.Fatal("it is not followed, once")
	}
	leader, _ := RestoreChain(w.dir.Snapshot())
	first := w.byRescuer(leader, leader.Beginning(nil))
	second := w.byRescuer(leader, &AdmitNode{Node: id("n5"), Name: "n5"})
	// One who was not told finds the proof in the log itself.
	late, _ := RestoreChain(snap)
	forged := *first
	forged.Cert = certify(first.Header.Hash(), "n1")
	if err := late.Check(&forged); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("certified by the controllers before: %v", err)
	}
	for _, d := range []*Decision{first, second} {
		if err := late.Check(d); err != nil {
			t.Fatalf("height %d: %v", d.Header.Height, err)
		}
		if _, err := late.Accept(d, nil, VerifySignature); err != nil {
			t.Fatal(err)
		}
	}
	if first.Verdicts.At(0) != errs.OK || second.Verdicts.At(0) != errs.OK || late.Head != leader.Head || late.Epoch != 2 {
		t.Errorf("verdicts %v %v, epoch %d", first.Verdicts, second.Verdicts, late.Epoch)
	}
	old, _ := RestoreChain(snap)
	d := w.decide(old, n1, &AdmitNode{Node: id("n6"), Name: "n6"}, "n1")
	if err := w.dir.Check(d); !errors.Is(err, ErrEpoch) {
		t.Errorf("the old controllers go on: %v", err)
	}
	if old.LearnRescue(&r); old.Epoch != 1 {
		t.Error("a chain above the start has turned")
	}
	if start, over := old.Overrun(); !over || start != r.Start {
		t.Error("it need not go back")
	}
}

// TestTwoRescues: who slept through two of them comes to the newest, in whatever order it is told, or if it finds one of them in the log only.
func TestTwoRescues(t *testing.T) {
	w := newWorld(t)
	snap := w.dir.Snapshot()
	var list []*Decision
	var rescues []Rescue
	for _, epoch := range []uint64{2, 3} {
		r := Rescue{Epoch: epoch, Start: w.dir.Height, Head: w.dir.Head, Controllers: ids("n3")}
		r.Sign(w.dir.Room, key("recovery"))
		if !w.dir.LearnRescue(&r) {
			t.Fatal("it is not followed")
		}
		rescues = append(rescues, r)
		list = append(list, w.byRescuer(w.dir, w.dir.Beginning(nil)), w.byRescuer(w.dir, &AdmitNode{Node: id(fmt.Sprint("m", epoch)), Name: fmt.Sprint("m", epoch)}))
	}
	for name, told := range map[string][]Rescue{
		"of both": rescues, "of the newest first": {rescues[1], rescues[0]}, "of the newest only": rescues[1:], "of none": nil,
	} {
		c, _ := RestoreChain(snap)
		for i := range told {
			c.LearnRescue(&told[i])
		}
		for _, d := range list {
			if err := c.Check(d); err != nil {
				t.Fatalf("told %s: height %d: %v", name, d.Header.Height, err)
			}
			if _, err := c.Accept(d, nil, VerifySignature); err != nil {
				t.Fatalf("told %s: %v", name, err)
			}
		}
		if StateDigest(c.Machine) != StateDigest(w.dir.Machine) {
			t.Errorf("told %s, it comes to another state", name)
		}
	}
	old, _ := RestoreChain(snap)
	for i := range 4 {
		w.decide(old, n1, &AdmitNode{Node: id(fmt.Sprint("k", i)), Name: fmt.Sprint("k", i)}, "n1")
	}
	old.LearnRescue(&rescues[1])
	old.LearnRescue(&rescues[0])
	if start, over := old.Overrun(); !over || start != rescues[0].Start {
		t.Errorf("who lived on in the first epoch must go back to %d: %v", start, over)
	}
}
