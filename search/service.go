package search

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/rate"
	"warren/search/index"
	"warren/search/query"
)

// Service is the search of one node. Make it with New, end it with Close. Its methods are safe for concurrent use; RoomOpened, Event,
// RoomParked and RoomClosed of one room are called one after the other.
type Service struct {
	cfg  Config
	quit chan struct{}
	wg   sync.WaitGroup
	stop func() // of Receive

	questions chan received
	wake      chan struct{} // topics may have to change
	answering guard         // what others may ask

	mu      sync.Mutex
	closed  bool
	index   *index.Index
	rooms   map[rooms.RoomID]*room
	names   map[string]rooms.RoomID // by the room name of its items
	shards  [topicCount]int         // tags held on each topic
	pending map[questionID]*search
	own     rate.Bucket
	counts  map[string]int // what Tags said last
	counted int64          // ms when
}

// room is a room that this node has a copy of. Its fields are guarded by Service.mu, but for view, which never changes.
type room struct {
	id    rooms.RoomID
	view  func(func(*rooms.State))
	name  string // with '#'
	items map[string]bool
}

// New makes a service and starts its two goroutines.
func New(cfg Config) *Service {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	orDefault(&cfg.Quiet, 700*time.Millisecond)
	orDefault(&cfg.Total, 2*time.Second)
	orDefault(&cfg.Linger, time.Minute)
	s := &Service{
		cfg: cfg, quit: make(chan struct{}), questions: make(chan received, maxWaiting), wake: make(chan struct{}, 1),
		index: index.New(), rooms: map[rooms.RoomID]*room{}, names: map[string]rooms.RoomID{}, pending: map[questionID]*search{},
	}
	s.stop = cfg.Sender.Receive(s.answered)
	s.wg.Go(s.listen)
	s.wg.Go(s.work)
	return s
}

func orDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// Close leaves all topics, ends all searches, and returns when nothing of the service runs.
func (s *Service) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	close(s.quit)
	s.stop()
	s.wg.Wait()
}

// RoomOpened puts the tagged things of a room into the index. view calls its argument with the room's live state under a read lock; it is
// kept and called from other goroutines until RoomClosed, never while the service holds a lock of its own. It may be called again for a room
// whose copy was replaced. A parked room is not closed (see RoomParked). Conversations of two are left out.
func (s *Service) RoomOpened(id rooms.RoomID, view func(func(*rooms.State))) {
	var name string
	var items []query.Item
	view(func(st *rooms.State) {
		if st.Direct() || st.Closed {
			return
		}
		name, items = "#"+st.Name, itemsOf(st)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(id)
	if name == "" || s.closed {
		return
	}
	if old, ok := s.names[name]; ok {
		s.forget(old) // a closed room whose name is used again
	}
	r := &room{id: id, view: view, name: name, items: map[string]bool{}}
	s.rooms[id], s.names[name] = r, id
	for _, it := range items {
		s.put(r, it)
	}
	s.poke()
}

// Event brings the index up to date with an event that was applied. It is called with every event of an opened room, in order, from where the
// room's view may be asked.
func (s *Service) Event(ev *rooms.Event) {
	s.mu.Lock()
	r := s.rooms[ev.Room]
	s.mu.Unlock()
	if r == nil {
		return
	}
	switch ev.Op {
	case rooms.OpPut, rooms.OpTag:
		var it query.Item
		r.view(func(st *rooms.State) {
			if ev.Object != nil {
				it = itemOf(st, ev.Object)
			} else {
				it = roomItem(st)
			}
		})
		s.change(r, func() { s.put(r, it) })
	case rooms.OpRemove:
		if ev.Object != nil {
			s.change(r, func() { s.drop(r, ev.Object.ID) })
		}
	case rooms.OpNick:
		if ev.Account == "" {
			s.RoomOpened(ev.Room, r.view) // a guest's things go along with the new nick
		}
	case rooms.OpClose:
		s.RoomClosed(ev.Room)
	}
}

// RoomParked says that the copy of a room has left memory. Its things stay in the index, and its view gives its state still, from the disk; a
// room without tagged things costs nothing until it is opened again.
func (s *Service) RoomParked(id rooms.RoomID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[id]; r != nil && len(r.items) == 0 {
		s.forget(id)
	}
}

// RoomClosed takes all things of the room out of the index.
func (s *Service) RoomClosed(id rooms.RoomID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(id)
	s.poke()
}

// change runs f if the room is still open.
func (s *Service) change(r *room, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.id] == r {
		f()
		s.poke()
	}
}

// put adds, replaces or, when it has no tags any more, removes an item. s.mu is held.
func (s *Service) put(r *room, it query.Item) {
	s.drop(r, it.ID)
	if len(it.Tags) == 0 {
		return
	}
	s.index.Put(it)
	r.items[it.ID] = true
	for _, t := range it.Tags {
		s.shards[shardOf(t)]++
	}
}

func (s *Service) drop(r *room, id string) {
	it, ok := s.index.Get(r.name, id)
	if !ok {
		return
	}
	for _, t := range it.Tags {
		s.shards[shardOf(t)]--
	}
	s.index.Remove(r.name, id)
	delete(r.items, id)
}

func (s *Service) forget(id rooms.RoomID) {
	r := s.rooms[id]
	if r == nil {
		return
	}
	for item := range maps.Clone(r.items) {
		s.drop(r, item)
	}
	delete(s.rooms, id)
	delete(s.names, r.name)
}

// poke wakes the goroutine that keeps the topics. It does not block.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// listen keeps the subscriptions in step with the tags held here.
func (s *Service) listen() {
	subs := map[byte]func(){}
	unwanted := map[byte]time.Time{}
	defer func() {
		for _, stop := range subs {
			stop()
		}
	}()
	var again <-chan time.Time
	for {
		select {
		case <-s.quit:
			return
		case <-s.wake:
		case <-again:
		}
		next := s.adjust(subs, unwanted)
		again = nil
		if next > 0 {
			again = time.After(next)
		}
	}
}

// subscribeRetry is when a subscription that failed is tried again.
const subscribeRetry = 10 * time.Second

// adjust subscribes and unsubscribes; it returns when it wants to be called again (0: when something changes).
func (s *Service) adjust(subs map[byte]func(), unwanted map[byte]time.Time) (next time.Duration) {
	s.mu.Lock()
	held := s.shards
	s.mu.Unlock()
	soon := func(d time.Duration) {
		if next == 0 || d < next {
			next = d
		}
	}
	for i, n := range held {
		shard := byte(i)
		stop, listening := subs[shard]
		switch {
		case n > 0 && !listening:
			stop, err := s.cfg.Topics.Subscribe(topicName(shard), s.heard)
			if err != nil {
				s.cfg.Logger.Warn("cannot listen to a tag topic", "topic", topicName(shard), "err", err)
				soon(subscribeRetry)
				continue
			}
			subs[shard] = stop
		case n > 0:
			delete(unwanted, shard)
		case listening:
			since, known := unwanted[shard]
			if !known {
				since = time.Now()
				unwanted[shard] = since
			}
			if rest := s.cfg.Linger - time.Since(since); rest > 0 {
				soon(rest)
				continue
			}
			stop()
			delete(subs, shard)
			delete(unwanted, shard)
		}
	}
	return next
}

// tagsLife is for how long what Tags counted is good, ms.
const tagsLife = 5_000

// Tags counts the tags of what this node knows of and everybody may read. The caller owns the map. Counts may be 5 s old.
func (s *Service) Tags() map[string]int {
	now := s.cfg.Now()
	s.mu.Lock()
	if s.counts != nil && now-s.counted < tagsLife && now >= s.counted {
		defer s.mu.Unlock()
		return maps.Clone(s.counts)
	}
	type part struct {
		r   *room
		ids []string
	}
	var parts []part
	for _, r := range s.rooms {
		if len(r.items) > 0 {
			parts = append(parts, part{r, slices.Collect(maps.Keys(r.items))})
		}
	}
	s.mu.Unlock()
	counts := map[string]int{}
	anyone := asker{nick: "anyone"}
	for _, p := range parts {
		p.r.view(func(st *rooms.State) {
			for _, id := range p.ids {
				if h, ok := readable(st, p.r.id, id, anyone, now); ok && !st.Set.Secret {
					for _, t := range h.Tags {
						counts[t]++
					}
				}
			}
		})
	}
	s.mu.Lock()
	s.counts, s.counted = maps.Clone(counts), now
	s.mu.Unlock()
	return counts
}

// groups returns the directory's groups as they are now.
func (s *Service) groups() (g perms.Groups) {
	s.cfg.Directory(func(d *rooms.Directory) { g = d.Now() })
	return g
}
