package bridge

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"warren/rooms"
	"warren/rooms/errs"
)

// BotNick is the nick of the service occupant that answers commands in every room.
const BotNick = "warren"

// Runner runs the bot's commands; bridge/command has the real one.
type Runner interface {
	// Is reports whether a line said in a room is a command for the bot.
	Is(line string) bool
	// Run runs the line for the session, in the room of the seat (nil: in private). It may block; ctx ends it.
	Run(ctx context.Context, s *Session, seat *Seat, line string) Reply
}

// Reply is what a command answers: lines for people, and the same as data for scripts.
type Reply struct {
	Lines  []string
	Data   any  // JSON-encodable, or nil
	Failed bool // the lines say what was wrong
}

// Config is what a hub needs.
type Config struct {
	World   World
	Wire    Wire    // nil: a node alone
	Archive Archive // nil: in memory
	Finder  Finder  // nil: nothing can be searched
	Logger  *slog.Logger
}

// Hub is all who are connected to this node, and the rooms they sit in. Make it with New, end it with Close.
type Hub struct {
	world   World
	finder  Finder
	archive Archive
	log     *slog.Logger
	users   *presence
	runner  Runner

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // commands and openings under way
	stops  []func()

	seenMu sync.Mutex // between reading and raising a mark of the archive

	mu       sync.Mutex
	closed   bool
	sessions map[*Session]struct{}
	nicks    map[string][]*Session // by folded nick
	channels map[rooms.RoomID]*channel
	directs  map[rooms.RoomID]*direct
}

// New makes a hub. Close ends it.
func New(cfg Config) *Hub {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Archive == nil {
		cfg.Archive = &memoryArchive{m: map[seenKey]uint64{}}
	}
	h := &Hub{
		world: cfg.World, finder: cfg.Finder, archive: cfg.Archive, log: cfg.Logger,
		sessions: map[*Session]struct{}{}, nicks: map[string][]*Session{}, channels: map[rooms.RoomID]*channel{}, directs: map[rooms.RoomID]*direct{},
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.users = newPresence(h, cfg.Wire)
	h.stops = append(h.stops, cfg.World.WatchDirectory(h.directoryEvent), h.users.stop)
	return h
}

// SetRunner gives the hub the bot's commands. Call it before the first session.
func (h *Hub) SetRunner(r Runner) { h.runner = r }

// World returns what the hub was made with.
func (h *Hub) World() World { return h.world }

// Finder returns the network-wide search, or nil.
func (h *Hub) Finder() Finder { return h.finder }

// Bot returns the service occupant as a user.
func (h *Hub) Bot() User {
	return User{Nick: BotNick, Real: "answers !help", View: "bot", Node: h.world.Self(), Online: true, Bot: true}
}

// Close ends all sessions and waits until nothing of the hub runs.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	all := make([]*Session, 0, len(h.sessions))
	for s := range h.sessions {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		s.Close("the node stops")
	}
	h.cancel()
	for _, stop := range h.stops {
		stop()
	}
	h.work.Wait()
	h.mu.Lock()
	stops := make([]func(), 0, len(h.channels)+len(h.directs))
	for _, c := range h.channels {
		stops = append(stops, c.stop)
	}
	for _, d := range h.directs {
		stops = append(stops, d.stops...)
	}
	h.mu.Unlock()
	for _, stop := range stops { // without the lock: they may wait for a delivery that asks the hub something
		stop()
	}
}

// Person is who is behind a session.
type Person struct {
	Account string // empty: a guest
	Nick    string
	Real    string
	View    string // "irc", "xmpp"
	Deaf    bool   // direct messages do not count as shown to the person yet: see Session.Listen
	Recalls bool   // the client can fetch what it missed itself: it is not shown at login
}

// Attach makes a session for a connected person. Errors: errs.NickInUse (taken, or the name of somebody's account), errs.Invalid.
func (h *Hub) Attach(c Client, p Person) (*Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errs.Closed
	}
	if err := h.nickFree(p.Nick, p.Account, nil); err != nil {
		return nil, err
	}
	s := &Session{hub: h, client: c, person: p, seats: map[rooms.RoomID]*Seat{}, since: h.world.Now()}
	s.heardFrom = s.since
	s.ctx, s.cancel = context.WithCancel(h.ctx)
	h.sessions[s] = struct{}{}
	h.addNick(s)
	h.users.localChanged(rooms.Fold(p.Nick))
	h.openDirectsOf(s)
	return s, nil
}

// CheckNick reports whether a person with this account (or none) could have the nick now; nil: yes.
func (h *Hub) CheckNick(nick, account string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.nickFree(nick, account, nil)
}

// nickFree is called with h.mu held; except may have the nick already.
func (h *Hub) nickFree(nick, account string, except *Session) error {
	fold := rooms.Fold(nick)
	if nick == "" || len(nick) > rooms.MaxName {
		return errs.Invalid
	}
	if fold == BotNick {
		return errs.NickInUse
	}
	for _, o := range h.nicks[fold] {
		if o != except && (account == "" || o.person.Account != account) {
			return errs.NickInUse
		}
	}
	if u, ok := h.users.remoteByNick(fold); ok && (account == "" || u.Account != account) {
		return errs.NickInUse
	}
	if fold != account {
		reserved := false
		h.world.Directory(func(d *rooms.Directory) { reserved = d.Now().HasAccount(fold) })
		if reserved {
			return errs.NickInUse
		}
	}
	return nil
}

func (h *Hub) addNick(s *Session) {
	fold := rooms.Fold(s.person.Nick)
	h.nicks[fold] = append(h.nicks[fold], s)
}

func (h *Hub) dropNick(s *Session) {
	fold := rooms.Fold(s.person.Nick)
	h.nicks[fold] = slices.DeleteFunc(h.nicks[fold], func(o *Session) bool { return o == s })
	if len(h.nicks[fold]) == 0 {
		delete(h.nicks, fold)
	}
}

// Sessions returns all sessions of this node.
func (h *Hub) Sessions() []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*Session, 0, len(h.sessions))
	for s := range h.sessions {
		out = append(out, s)
	}
	return out
}

// SessionsOf returns the sessions of an account at this node.
func (h *Hub) SessionsOf(account string) []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*Session
	for s := range h.sessions {
		if account != "" && s.person.Account == account {
			out = append(out, s)
		}
	}
	return out
}

// Name returns a room's name by its id: with '#', or the id's short form when the directory does not know it.
func (h *Hub) Name(id rooms.RoomID) string {
	name := id.Short()
	h.world.Directory(func(d *rooms.Directory) {
		if r, ok := d.Rooms[id]; ok {
			name = r.Name
		}
	})
	return "#" + name
}

// NodeName returns the name of a node, or the short form of its id.
func (h *Hub) NodeName(id rooms.NodeID) string {
	name := id.Short()
	h.world.Directory(func(d *rooms.Directory) {
		if n, ok := d.Nodes[id]; ok {
			name = n.Name
		}
	})
	return name
}
