package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/archive"
	"warren/rooms/errs"
)

type server = func(context.Context, rooms.NodeID, []byte) ([]byte, error)

// jump is from where on a copy takes a state over in these tests, long how many decisions a room has that is worth it.
const (
	jump = 300
	long = 3*snapshotEvery + 40
)

// longRoom makes four nodes that control a room with a long log. Its first and last messages are known.
func longRoom(t *testing.T) (*world, rooms.RoomID, *Replica) {
	t.Helper()
	w := newWorld(t)
	w.adapt = func(c *Config) { c.Jump = jump }
	w, id := w.four("lab")
	r := w.enter("n1", id, "ann")
	for i := 0; ; i++ {
		if n, _ := r.Head(); n >= long {
			break
		}
		w.do(r, "", "ann", &rooms.Say{Text: fmt.Sprint("line ", i)})
	}
	return w, id, r
}

// whole waits until the copy's log is complete, and checks every bit of it.
func (w *world) whole(h *Host, id rooms.RoomID) {
	w.t.Helper()
	w.eventually("the log is complete", 5*time.Minute, func() bool {
		low, _ := h.Get(id).reach()
		return low == 1
	})
	var b bytes.Buffer
	if err := h.Export(w.t.Context(), id, &b); err != nil {
		w.t.Fatal(err)
	}
	if rep, err := archive.Verify(&b, w.genesis.ID()); err != nil || rep.Height < long {
		w.t.Fatalf("what was fetched: %v", err)
	}
}

func TestANewcomerIsThereAtOnceAndFillsItsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, r := longRoom(t)
		var mu sync.Mutex
		served := map[rooms.NodeID]int{}
		under, most, hold := 0, 0, make(chan struct{})
		w.lan.onPull = func(ctx context.Context, from, to rooms.NodeID, req []byte, serve server) ([]byte, error) {
			var q pull
			if rooms.Unmarshal(req, &q) == nil && q.Room == id && q.Want == wantLog && q.Upto > 0 {
				mu.Lock()
				served[to]++
				under++
				most = max(most, under)
				mu.Unlock()
				defer func() { mu.Lock(); under--; mu.Unlock() }()
				select {
				case <-hold:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return serve(ctx, from, req)
		}
		h := w.join("n5", id)
		began := time.Now()
		c := w.open("n5", id, "bob")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the newcomer was there after %v", took)
		}
		want, _ := r.Head()
		low, _ := c.reach()
		if got, _ := c.Head(); got < want || low < jump {
			t.Fatalf("the copy is at %d of %d, and its log begins at %d", got, want, low)
		}
		// It is of use: talk goes both ways, and what was said last is there.
		w.do(c, "", "bob", &rooms.Enter{})
		if list, err := c.Events(t.Context(), Query{Newest: true, Limit: 3}); err != nil || len(list) != 3 || list[2].Op != rooms.OpEnter {
			t.Errorf("the newest events: %d, %v", len(list), err)
		}
		// What is not here yet is not passed over in silence.
		if _, err := c.Events(t.Context(), Query{Limit: 3}); !errors.Is(err, errs.Busy) {
			t.Errorf("the oldest events, while they are missing: %v", err)
		}
		if err := h.Export(t.Context(), id, &bytes.Buffer{}); err == nil {
			t.Error("an archive without a beginning was written")
		}
		// It goes down and comes back before the log is complete.
		w.kill("n5")
		h = w.start("n5")
		c = w.open("n5", id, "bob")
		got := make(chan []rooms.Event, 1)
		go func() {
			list, err := c.Events(t.Context(), Query{Limit: 2})
			if err != nil {
				t.Error(err)
			}
			got <- list
		}()
		synctest.Wait()
		close(hold)
		if list := <-got; len(list) != 2 || list[0].Op != rooms.OpEnter || list[0].Seq != 1 {
			t.Errorf("the oldest events are %v", list)
		}
		w.whole(h, id)
		if most < 2 || most > fetchWindow || len(served) < 2 {
			t.Errorf("%d questions at once, %d nodes were asked", most, len(served))
		}
	})
}

// TestLyingSources: whoever gives a wrong state, wrong stretches of the log, or no answer, holds nobody up for long and deceives nobody.
func TestLyingSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, r := longRoom(t)
		pieces, spans := func(q *pull) bool { return q.Want == wantSnapshot }, func(q *pull) bool { return q.Want == wantLog && q.Upto > 0 }
		proofs := func(q *pull) bool { return q.Want == wantProof }
		spoil := func(f func(b []byte)) func(context.Context, []byte) ([]byte, error) {
			return func(_ context.Context, b []byte) ([]byte, error) { b = bytes.Clone(b); f(b); return b, nil }
		}
		logs := func(f func(d *rooms.Decision)) func(context.Context, []byte) ([]byte, error) {
			return func(_ context.Context, b []byte) ([]byte, error) {
				var p pulled
				if err := rooms.Unmarshal(b, &p); err != nil {
					return b, err
				}
				for i := range p.Decisions {
					var d rooms.Decision
					if err := rooms.Unmarshal(p.Decisions[i], &d); err != nil {
						return nil, err
					}
					f(&d)
					p.Decisions[i] = rooms.Marshal(&d)
				}
				return rooms.Marshal(p), nil
			}
		}
		silent := func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		for i, lie := range []struct {
			name string
			when func(*pull) bool
			do   func(context.Context, []byte) ([]byte, error)
		}{
			{"another state", pieces, spoil(func(b []byte) { b[len(b)/2] ^= 1 })},
			{"no state", pieces, silent},
			{"a byte a second", pieces, func(_ context.Context, b []byte) ([]byte, error) {
				var p piece
				if err := rooms.Unmarshal(b, &p); err != nil {
					return b, err
				}
				time.Sleep(time.Second)
				return rooms.Marshal(piece{Data: p.Data[:1]}), nil
			}},
			{"no proof", proofs, silent},
			{"pieces of nothing", pieces, func(context.Context, []byte) ([]byte, error) { return rooms.Marshal(piece{}), nil }},
			{"a proof with another header", proofs, func(_ context.Context, b []byte) ([]byte, error) {
				var p proved
				if err := rooms.Unmarshal(b, &p); err != nil || p.Proof == nil {
					return b, err
				}
				p.Proof.Header.State[0]++
				return rooms.Marshal(p), nil
			}},
			{"nonsense for a proof", proofs, func(context.Context, []byte) ([]byte, error) { return []byte("no"), nil }},
			{"other words in old decisions", spans, logs(func(d *rooms.Decision) { d.Batch.Requests[0].Body = rooms.Marshal(&rooms.Say{Text: "lie"}) })},
			{"certificates without worth", spans, logs(func(d *rooms.Decision) {
				for i := range d.Cert {
					d.Cert[i] = rooms.SignHeader(d.Header.Hash(), key(fmt.Sprint("nobody", i)))
				}
				d.Cert = rooms.MakeCertificate(d.Cert)
			})},
			{"certificates cut short", spans, logs(func(d *rooms.Decision) { d.Cert = d.Cert[:1] })},
			{"no log", spans, silent},
			{"an empty log", spans, func(context.Context, []byte) ([]byte, error) { return rooms.Marshal(pulled{Height: 1 << 60}), nil }},
		} {
			liars := []rooms.NodeID{node("n1"), node("n3")}
			w.lan.onPull = func(ctx context.Context, from, to rooms.NodeID, req []byte, serve server) ([]byte, error) {
				var q pull
				if rooms.Unmarshal(req, &q) != nil || q.Room != id || !slices.Contains(liars, to) || !lie.when(&q) {
					return serve(ctx, from, req)
				}
				b, err := serve(ctx, from, req)
				if err != nil {
					return nil, err
				}
				return lie.do(ctx, b)
			}
			name := fmt.Sprint("m", i)
			var opened atomic.Int32
			w.adapt = func(c *Config) {
				c.Jump = jump
				c.Opened = func(at rooms.RoomID) {
					if at == id {
						opened.Add(1)
					}
				}
			}
			h := w.join(name, id)
			began := time.Now()
			c := w.open(name, id, "bob")
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("%s: the newcomer was there after %v", lie.name, took)
			}
			if opened.Load() < 2 {
				t.Errorf("%s: it took no state over, though others have one", lie.name)
			}
			want, head := r.Head()
			if got, at := c.Head(); got != want || at != head {
				t.Errorf("%s: the copy is at %d, %s; the room at %d, %s", lie.name, got, at.Short(), want, head.Short())
			}
			w.whole(h, id)
			w.kill(name)
		}
	})
}

// TestStatesAreGivenOneAtATime: who gives proofs and states does so for one at a time, and says so to the others, who turn to somebody else.
func TestStatesAreGivenOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w, id, _ := longRoom(t)
		h1 := w.hosts["n1"]
		h1.serving <- struct{}{}
		for _, want := range []uint8{wantProof, wantSnapshot} {
			began := time.Now()
			_, err := h1.ServePull(ctx, node("n2"), rooms.Marshal(pull{Room: id, Want: want, After: 1}))
			if took := time.Since(began); !errors.Is(err, errs.Busy) || took != servePatience {
				t.Errorf("a second one was told %v after %v", err, took)
			}
		}
		var opened atomic.Int32
		w.adapt = func(c *Config) { c.Jump, c.Opened = jump, func(rooms.RoomID) { opened.Add(1) } }
		h := w.join("n5", id)
		if _, err := h.Open(ctx, id, "", "bob"); err != nil || opened.Load() < 2 {
			t.Errorf("another node's state was not taken over: %v", err)
		}
		<-h1.serving
		if _, err := h1.ServePull(ctx, node("n2"), rooms.Marshal(pull{Room: id, Want: wantProof})); err != nil {
			t.Errorf("when it is free again: %v", err)
		}
	})
}

// TestWhoGaveNoStateIsNotAskedAgainAtOnce: the time counts from when it has failed, however long it took to.
func TestWhoGaveNoStateIsNotAskedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w, id, _ := longRoom(t)
		var mu sync.Mutex
		failed := map[rooms.NodeID]time.Time{}
		w.lan.onPull = func(ctx context.Context, from, to rooms.NodeID, req []byte, serve server) ([]byte, error) {
			var q pull
			if rooms.Unmarshal(req, &q) != nil || q.Room != id || q.Want == wantLog {
				return serve(ctx, from, req)
			}
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			failed[to] = time.Now()
			return nil, ctx.Err()
		}
		h := w.join("n5", id)
		c, err := h.Open(ctx, id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		jumped := make(chan map[rooms.NodeID]time.Time, 1)
		c.call(func() { jumped <- maps.Clone(c.jumped) })
		marks := <-jumped
		if len(marks) < 4 {
			t.Errorf("%d nodes are remembered", len(marks))
		}
		for n, at := range marks {
			if at.Before(failed[n]) {
				t.Errorf("it counts from %v before the node failed", failed[n].Sub(at))
			}
		}
	})
}

// TestWhoWatchesMissesNothing: a copy in which somebody is present runs every decision, fetched from several nodes at once.
func TestWhoWatchesMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.adapt = func(c *Config) { c.Jump = jump }
		w, id := w.four("lab")
		w.join("n5", id)
		c := w.enter("n5", id, "bob")
		var mu sync.Mutex
		next, lost := uint64(0), 0
		defer c.Watch(func(ev *rooms.Event, _ any) {
			mu.Lock()
			defer mu.Unlock()
			if next != 0 && ev.Seq != next {
				lost++
			}
			next = ev.Seq + 1
		})()
		w.lan.set(node("n5"), false)
		r := w.talk("n1", id, "line ", long)
		served := map[rooms.NodeID]int{}
		w.lan.onPull = func(ctx context.Context, from, to rooms.NodeID, req []byte, serve server) ([]byte, error) {
			mu.Lock()
			served[to]++
			mu.Unlock()
			return serve(ctx, from, req)
		}
		w.lan.set(node("n5"), true)
		want, _ := r.Head()
		w.eventually("the copy has caught up", time.Minute, func() bool { n, _ := c.Head(); return n >= want })
		mu.Lock()
		defer mu.Unlock()
		if low, _ := c.reach(); lost != 0 || low != 1 {
			t.Errorf("%d gaps in what was seen; the log begins at %d", lost, low)
		}
		if len(served) < 2 {
			t.Errorf("only %d nodes were asked", len(served))
		}
	})
}
