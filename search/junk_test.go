package search

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
)

// harness is one service between a topic and a channel that the test holds in its hands.
type harness struct {
	*Service
	dir  *rooms.Directory
	now  func() int64
	room rooms.RoomID

	mu   sync.Mutex
	sent []answer
	to   []rooms.NodeID
	in   func(rooms.NodeID, []byte)
}

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func testID(name string) rooms.NodeID {
	return rooms.NodeOf(testKey(name).Public().(ed25519.PublicKey))
}

// newHarness makes the service of node "self" with one room "lab", in which one document is tagged physics; "asker" and "hop" are admitted,
// "eve" is not; "asker" may sign for alice.
func newHarness(t testing.TB) *harness {
	self := testID("self")
	h := &harness{dir: rooms.NewDirectory(rooms.Genesis{Name: "test", Founder: self, FounderName: "self"}), now: func() int64 { return time.Now().UnixMilli() }}
	for _, n := range []string{"asker", "hop"} {
		h.dir.Nodes[testID(n)] = rooms.NodeRecord{ID: testID(n), Name: n}
	}
	h.dir.Accounts["alice"] = rooms.AccountRecord{Name: "alice", Devices: []rooms.Device{{Key: testID("asker")}}}
	h.room = rooms.RoomID{7}
	rec := rooms.RoomRecord{ID: h.room, Name: "lab", Maker: "alice"}
	h.dir.Rooms[h.room] = rec
	h.Service = New(Config{
		Self: self, Sign: func(d []byte) []byte { return ed25519.Sign(testKey("self"), d) }, Topics: (*quietTopics)(h), Sender: h,
		Directory: func(f func(*rooms.Directory)) { f(h.dir) }, Now: h.now,
	})
	t.Cleanup(h.Close)
	st := rooms.NewState(rec)
	st.Objects["o1"] = rooms.Object{ID: "o1", Kind: rooms.Document, Name: "plan", Owner: "alice", Tags: []string{"physics"}, Changed: 5}
	st.Objects["o2"] = rooms.Object{
		ID: "o2", Kind: rooms.Document, Name: "mine", Owner: "alice", Tags: []string{"physics"}, ACL: perms.ACL{}.Deny(perms.Everyone, perms.Read),
	}
	h.RoomOpened(h.room, func(f func(*rooms.State)) { f(st) })
	return h
}

type quietTopics harness

func (*quietTopics) Subscribe(string, func(rooms.NodeID, []byte)) (func(), error) {
	return func() {}, nil
}
func (*quietTopics) Publish(string, []byte) error { return nil }

func (h *harness) Send(to rooms.NodeID, data []byte) {
	a, err := decodeAnswer(data)
	if err != nil {
		panic(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent, h.to = append(h.sent, a), append(h.to, to)
}

func (h *harness) Receive(f func(rooms.NodeID, []byte)) func() {
	h.in = f
	return func() {}
}

// ask gives a question to the service and returns how many answers it sent for it.
func (h *harness) ask(from string, data []byte) int {
	h.mu.Lock()
	before := len(h.sent)
	h.mu.Unlock()
	h.heard(testID(from), data)
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sent) - before
}

func (h *harness) question(id byte, change func(*question)) []byte {
	q := question{Version: version, ID: questionID{id}, Asker: testID("asker"), Time: h.now(), Nick: "guest", Expr: "physics"}
	signer := "asker"
	if change != nil {
		change(&q)
	}
	if q.Sig == nil {
		if q.Asker == testID("eve") {
			signer = "eve"
		}
		q.Sig = ed25519.Sign(testKey(signer), q.digest())
	}
	return rooms.Marshal(q)
}

func TestJunkQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		good := h.question(1, nil)
		if h.ask("hop", good) != 1 || h.to[0] != testID("asker") || len(h.sent[0].Hits) != 1 {
			t.Fatalf("a good question was not answered: %+v", h.sent)
		}
		for what, data := range map[string][]byte{
			"nothing":               nil,
			"noise":                 []byte("\xff\x00noise"),
			"the same again":        good,
			"trailing bytes":        append(h.question(2, nil), 0),
			"another version":       h.question(3, func(q *question) { q.Version = 2 }),
			"a bad signature":       h.question(4, func(q *question) { q.Sig = make([]byte, 64) }),
			"a short signature":     h.question(5, func(q *question) { q.Sig = []byte{1} }),
			"a stranger":            h.question(6, func(q *question) { q.Asker = testID("eve") }),
			"in another's name":     h.question(7, func(q *question) { q.Asker = testID("hop") }),
			"an old question":       h.question(8, func(q *question) { q.Time -= 6 * 60e3 }),
			"one of the future":     h.question(9, func(q *question) { q.Time += 6 * 60e3 }),
			"before time":           h.question(10, func(q *question) { q.Time = -1 << 63 }),
			"bad grammar":           h.question(11, func(q *question) { q.Expr = "(physics" }),
			"no positive tag":       h.question(12, func(q *question) { q.Expr = "NOT physics" }),
			"a long expression":     h.question(13, func(q *question) { q.Expr = strings.Repeat("a ", 1000) }),
			"nobody":                h.question(14, func(q *question) { q.Nick = "" }),
			"a nick with a newline": h.question(15, func(q *question) { q.Nick = "a\nb" }),
			"too long":              make([]byte, maxQuestion+1),
			"its own":               h.question(16, func(q *question) { q.Asker = testID("self") }),
		} {
			if got := h.ask("hop", data); got != 0 {
				t.Errorf("%s was answered", what)
			}
		}
		if h.ask("eve", h.question(20, nil)) != 0 {
			t.Error("a question passed on by a stranger was answered")
		}
		if h.ask("hop", h.question(20, nil)) != 1 {
			t.Error("after all that, a good question was not answered")
		}
		// Every byte counts: no question that was changed on its way is answered.
		for i := range good {
			bad := h.question(30, nil)
			bad[i] ^= 1
			if h.ask("hop", bad) != 0 {
				t.Errorf("a question with byte %d changed was answered", i)
			}
		}
		if h.ask("hop", h.question(30, nil)) != 1 {
			t.Error("the unchanged question was not answered")
		}
	})
}

func TestAccountIsBelievedOfItsDevicesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.ask("hop", h.question(1, func(q *question) { q.Account, q.Nick = "alice", "alice" }))
		if len(h.sent[0].Hits) != 2 {
			t.Errorf("alice does not see her own things: %+v", h.sent[0].Hits)
		}
		h.dir.Accounts["alice"] = rooms.AccountRecord{Name: "alice", Devices: []rooms.Device{{Key: testID("self")}}}
		h.ask("hop", h.question(2, func(q *question) { q.Account, q.Nick = "alice", "alice" }))
		if len(h.sent[1].Hits) != 1 {
			t.Errorf("a node that may not sign for alice sees her things: %+v", h.sent[1].Hits)
		}
	})
}

func TestQuestionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		total := 0
		for i := range 200 {
			total += h.ask("hop", h.question(byte(i), nil))
		}
		if total != askerBurst {
			t.Errorf("%d of 200 questions at once were answered, want %d", total, askerBurst)
		}
		time.Sleep(time.Second)
		total = 0
		for i := range 200 {
			total += h.ask("hop", h.question(byte(i), func(q *question) { q.ID[1] = 1 }))
		}
		if total != askerRate {
			t.Errorf("a second later %d were answered, want %d", total, askerRate)
		}
	})
}

// Nothing that other nodes answer is taken but what fits the question, once from each node.
func TestJunkAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.dir.Rooms[rooms.RoomID{8}] = rooms.RoomRecord{ID: rooms.RoomID{8}, Name: "=direct"}
		type result struct {
			hits []Hit
			n    int
		}
		res := make(chan result)
		go func() {
			hits, n, err := h.Find(t.Context(), "physics", "", "guest")
			if err != nil {
				t.Error(err)
			}
			res <- result{hits, n}
		}()
		synctest.Wait()
		var id questionID
		h.Service.mu.Lock()
		for id = range h.pending {
		}
		h.Service.mu.Unlock()
		hit := func(change func(*wireHit)) wireHit {
			w := wireHit{Room: h.room, ID: "x1", Kind: "document", Name: "other", Owner: "bob", Tags: []string{"physics"}, Changed: 9}
			if change != nil {
				change(&w)
			}
			return w
		}
		send := func(from string, a answer) {
			if a.Version == 0 {
				a.Version = version
			}
			h.in(testID(from), rooms.Marshal(a))
		}
		h.in(testID("hop"), []byte("noise"))
		h.in(testID("hop"), make([]byte, maxAnswer+1))
		send("hop", answer{ID: questionID{1}, Hits: []wireHit{hit(nil)}})  // of no search
		send("eve", answer{ID: id, Hits: []wireHit{hit(nil)}})             // of a stranger
		send("hop", answer{Version: 9, ID: id, Hits: []wireHit{hit(nil)}}) // of another version
		send("hop", answer{ID: id, Hits: make([]wireHit, maxHits+1)})      // too many
		for _, f := range []func(*wireHit){
			func(w *wireHit) { w.Name = "a\nb" }, func(w *wireHit) { w.Name = "" }, func(w *wireHit) { w.Kind = "virus" },
			func(w *wireHit) { w.Tags = []string{"Physics"} }, func(w *wireHit) { w.Tags = []string{"physics", "a"} },
			func(w *wireHit) { w.Kind = "room" }, func(w *wireHit) { w.ID = "" }, func(w *wireHit) { w.Name = strings.Repeat("x", 100) },
		} {
			send("hop", answer{ID: id, Hits: []wireHit{hit(f)}})
		}
		send("hop", answer{ID: id, Hits: []wireHit{
			hit(nil),
			hit(func(w *wireHit) { w.ID, w.Tags = "x2", []string{"cats"} }),             // does not match
			hit(func(w *wireHit) { w.ID, w.Room = "x3", rooms.RoomID{9} }),              // no such room
			hit(func(w *wireHit) { w.ID, w.Room = "x4", rooms.RoomID{8} }),              // a conversation of two
			hit(func(w *wireHit) { w.ID, w.Kind, w.Name = "", "room", "not its name" }), // a room under a false name
			hit(func(w *wireHit) { w.ID, w.Name, w.Changed = "o1", "older plan", 4 }),   // older than this node's own
		}})
		send("hop", answer{ID: id, Hits: []wireHit{hit(func(w *wireHit) { w.ID = "x5" })}}) // a second time
		send("asker", answer{ID: id})
		got := <-res
		if got.n != 3 || len(got.hits) != 2 || got.hits[0].ID != "x1" || got.hits[0].Room != "#lab" || got.hits[1].Name != "plan" {
			t.Errorf("%d answered: %+v", got.n, got.hits)
		}
	})
}

// A flood of answers with news does not keep a search going.
func TestSearchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		for i := range 100 {
			n := rooms.NodeID{byte(i), 1}
			h.dir.Nodes[n] = rooms.NodeRecord{ID: n}
		}
		start := time.Now()
		done := make(chan int)
		go func() { _, n, _ := h.Find(t.Context(), "physics", "", "guest"); done <- n }()
		synctest.Wait()
		var id questionID
		h.Service.mu.Lock()
		for id = range h.pending {
		}
		h.Service.mu.Unlock()
		for i := range 100 {
			time.Sleep(100 * time.Millisecond)
			h.in(rooms.NodeID{byte(i), 1}, rooms.Marshal(answer{Version: version, ID: id}))
			synctest.Wait()
			select {
			case n := <-done:
				if d := time.Since(start); d != 2*time.Second || n < 19 {
					t.Errorf("took %v, %d answered", d, n)
				}
				return
			default:
			}
		}
		t.Error("the search does not end")
	})
}

func FuzzQuestion(f *testing.F) {
	h := &harness{now: func() int64 { return 0 }}
	f.Add(h.question(1, nil))
	f.Add(h.question(1, func(q *question) { q.Account, q.Expr = "alice", `(a OR "b c") -kind:room` }))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, e, err := decodeQuestion(data)
		if err != nil {
			return
		}
		if e.CheckAskable() != nil || len(data) > maxQuestion || q.Nick == "" {
			t.Errorf("%+v was taken", q)
		}
		if string(rooms.Marshal(q)) != string(data) {
			t.Logf("not canonical: %x", data) // harmless: the signature is over the canonical form
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(encodeAnswer(questionID{1}, []Hit{{RoomID: rooms.RoomID{7}, ID: "o1", Kind: "document", Name: "plan", Tags: []string{"a", "b"}}}, true))
	f.Add([]byte{0x84})
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decodeAnswer(data)
		if err != nil {
			return
		}
		if len(a.Hits) > maxHits {
			t.Errorf("%d hits", len(a.Hits))
		}
		var hits []Hit
		for _, w := range a.Hits {
			hits = append(hits, Hit{RoomID: w.Room, ID: w.ID, Kind: w.Kind, Name: w.Name, Owner: w.Owner, Tags: w.Tags, Target: w.Target, Changed: w.Changed})
		}
		again, err := decodeAnswer(encodeAnswer(a.ID, hits, a.More))
		if err != nil || len(again.Hits) > len(a.Hits) {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
