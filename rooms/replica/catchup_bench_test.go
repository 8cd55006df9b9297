package replica

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

var (
	events  = flag.Int("events", 20_000, "events in the room of BenchmarkCatchUp")
	perStep = flag.Int("per-decision", 10, "of these in one decision")
)

// BenchmarkCatchUp tells what a node does that joins a room with a long log: how long until it can take part, and until its own log is complete
// and every certificate in it checked. Network and disk are in memory, all nodes share the machine; say -events 1000000 -benchtime 1x.
func BenchmarkCatchUp(b *testing.B) {
	w := newWorld(b)
	h := w.start("n1")
	id := w.found("", "ann", rooms.CreateRoom{Name: "lab"})
	rec, err := h.record(id)
	if err != nil {
		b.Fatal(err)
	}
	w.kill("n1")
	w.write(b, rec)
	w.start("n1")
	w.join("n2", id)
	var use, whole time.Duration
	for b.Loop() {
		began := time.Now()
		c := w.enter("n2", id, "bob")
		use += time.Since(began)
		w.eventually("the log is complete", time.Hour, func() bool { low, _ := c.reach(); return low == 1 })
		whole += time.Since(began)
		b.StopTimer()
		w.kill("n2")
		delete(w.stores, "n2")
		w.knows(w.start("n2"), id)
		b.StartTimer()
	}
	b.ReportMetric(float64(use.Milliseconds())/float64(b.N), "ms-to-use")
	b.ReportMetric(float64(whole.Milliseconds())/float64(b.N), "ms-to-complete")
	b.ReportMetric(float64(whole.Microseconds())/float64(b.N)/float64(*events), "us/event")
}

// write puts a long log of the room on n1's disk, as n1 would have ordered it alone.
func (w *world) write(b *testing.B, rec rooms.RoomRecord) {
	b.Helper()
	s := w.stores["n1"]
	chain := rooms.NewChain(rec.ID, rooms.NewState(rec))
	dir := rooms.NewChain(w.genesis.Directory(), rooms.NewDirectory(w.genesis)).Machine.(*rooms.Directory)
	trust := func(*rooms.Request, rooms.Hash) bool { return true }
	counter := uint64(0)
	for said := 0; said < *events; {
		batch := rooms.Batch{Epoch: 1, Term: 1, Height: chain.Height + 1, Time: time.Now().UnixMilli()}
		for range *perStep {
			var body rooms.Body = &rooms.Say{Text: fmt.Sprint("what was said at ", said)}
			if said == 0 {
				body = &rooms.Enter{}
			}
			r := rooms.NewRequest(rec.ID, "", "ann", body)
			counter++
			r.Counter = counter
			r.Sign(key("n1"))
			batch.Requests = append(batch.Requests, r)
			said++
		}
		batch.Sign(rec.ID, key("n1"))
		d := rooms.Decision{Batch: batch}
		d.Header, d.Verdicts, _ = chain.Run(&d.Batch, dir.Now(), trust)
		d.Cert = rooms.MakeCertificate([]rooms.Signature{rooms.SignHeader(d.Header.Hash(), key("n1"))})
		changes := []Change{{Table: Decisions, Key: roomKey(rec.ID, d.Header.Height), Value: rooms.Marshal(&d)}}
		if d.Header.Height%snapshotEvery == 0 {
			changes = append(changes, Change{Table: Snapshots, Key: rec.ID[:], To: after(rec.ID)},
				Change{Table: Snapshots, Key: roomKey(rec.ID, d.Header.Height), Value: chain.Snapshot()})
		}
		s.WriteLater(changes)
	}
	// Raft's log begins where this one ends.
	for _, rec2 := range []order.Record{
		{Born: &order.Born{}},
		{Snapshot: &order.Snapshot{Index: 2, Term: 1, Height: chain.Height, Head: chain.Head, Conf: order.Conf{Voters: []order.Member{{Node: node("n1")}}}}},
		{Hard: &order.Hard{Term: 1, Commit: 2}},
	} {
		s.WriteLater(recordChanges(rec.ID, &rec2))
	}
}
