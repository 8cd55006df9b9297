package rooms

import (
	"fmt"
	"testing"
)

// Run with: go test ./rooms -run '^$' -bench .

func checked(*Request, Hash) bool { return true } // the node has checked the signature before: see Verifier

// says returns n requests of zed, the first with the next counter.
func (w *world) says(n int) []Request {
	out := make([]Request, n)
	for i := range out {
		out[i] = w.request(w.room, zed, &Say{Text: "a line of talk as people write it, some sixty bytes long."})
		out[i].Counter += uint64(i)
	}
	return out
}

// again lets the same requests be ordered once more.
func (w *world) again(r *Request) { w.room.Machine.Base().Counters[r.Device] = r.Counter - 1 }

func BenchmarkApplySay(b *testing.B) {
	w := newWorld(b).in(zed)
	r := w.says(1)[0]
	body, _ := r.Decode()
	ctx := &context{room: w.room.Room, height: 9, time: w.now, dir: w.directory().Now(), id: r.ID()}
	b.ReportAllocs()
	for b.Loop() {
		w.state().apply(ctx, &r, body)
	}
}

func BenchmarkRun(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b).in(zed)
			batch := Batch{Time: w.now, Dir: w.dir.Height, Requests: w.says(n)}
			view := w.directory().Now()
			b.ReportAllocs()
			for b.Loop() {
				w.again(&batch.Requests[0])
				if _, v, _ := w.room.Run(&batch, view, checked); v[n-1] != 0 {
					b.Fatal(v)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/request")
		})
	}
}

func BenchmarkCertificate3of4(b *testing.B) {
	h := Hash{1}
	c, set := certify(h, "n1", "n2", "n3"), ids("n1", "n2", "n3", "n4")
	b.ReportAllocs()
	for b.Loop() {
		if c.Verify(h, set) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkRequestID(b *testing.B) {
	w := newWorld(b).in(zed)
	r := w.says(1)[0]
	b.ReportAllocs()
	for b.Loop() {
		r.ID()
	}
}

func BenchmarkDecisionCodec(b *testing.B) {
	w := newWorld(b).in(zed)
	batch := Batch{Time: w.now, Dir: w.dir.Height, Requests: w.says(100)}
	h, v, _ := w.room.Run(&batch, w.directory().Now(), checked)
	d := Decision{Header: h, Batch: batch, Verdicts: v, Cert: certify(h.Hash(), "n1", "n2", "n3")}
	data := Marshal(&d)
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			Marshal(&d)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if Unmarshal(data, &Decision{}) != nil {
				b.Fatal("refused")
			}
		}
	})
}

func BenchmarkSnapshot1000Occupants(b *testing.B) {
	w := newWorld(b).in(zed)
	for i := range 999 {
		nick := fmt.Sprint("guest", i)
		w.state().Occupants[nick] = Occupant{Nick: nick, Nodes: ids("n4"), Since: start, View: "irc", Real: "somebody"}
	}
	data := w.room.Snapshot()
	b.Run("write", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			w.room.Snapshot()
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := RestoreChain(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
