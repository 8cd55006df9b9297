package rooms

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"warren/perms"
	"warren/rooms/errs"
)

// Limits of one room. A request that would exceed one is refused with errs.TooLarge or errs.Quota.
const (
	MaxName        = 64          // bytes of a nick, room or object name
	MaxText        = 16 << 10    // bytes of one message
	MaxSubject     = 1 << 10     // bytes
	MaxReason      = 512         // bytes
	MaxDocument    = 64 << 10    // bytes of one document; larger things are blobs
	MaxObjects     = 4096        // objects of one room
	MaxObjectBytes = 8 << 20     // bytes of all documents of one room: every replica holds them in memory
	MaxOccupants   = 10_000      // occupants of one room
	MaxTags        = 32          // tags of one thing
	MaxTag         = 64          // bytes of one tag
	MaxTalkTags    = 4094        // bytes of all client-only tags of one message (IRCv3 message-tags)
	MaxInvited     = 512         // open invitations; the oldest makes way
	MaxRealName    = 256         // bytes
	MaxPrincipal   = 256         // bytes of a principal that a request names
	MaxObjectACL   = 32          // entries of one object's ACL: there may be MaxObjects of them in every replica's memory
	maxTalkExt     = 8 << 10     // bytes of what XMPP clients send beside the body
	emptyLife      = 10 * 60e3   // ms a temporary room outlives its last occupant
	MaxTicks       = 20          // per second
	MinRetention   = 1           // days that a room keeps its log at least: who comes back after a night finds what was said
	MaxRetention   = 36_500      // days: who wants more keeps everything
	day            = 24 * 3600e3 // ms
)

// Kind is the kind of an object.
type Kind string

// The kinds of objects. Others are refused until they exist.
const (
	Document Kind = "document"
	Exit     Kind = "exit"
)

// Occupant is somebody present in a room.
type Occupant struct {
	_       struct{} `cbor:",toarray"`
	Nick    string
	Account string   // empty for guests
	Nodes   []NodeID // sorted: where the occupant's clients are connected; a guest has one
	Since   int64    // ms
	View    string
	Real    string
}

// Principal returns whom rights are asked for.
func (o Occupant) Principal() perms.Principal {
	if len(o.Nodes) == 0 {
		return PrincipalOf(o.Account, o.Nick, NodeID{})
	}
	return PrincipalOf(o.Account, o.Nick, o.Nodes[0])
}

// User and Host are the parts of the mask nick!user@host that others see; they tell the account or the guest's node, never an address.
func (o Occupant) User() string {
	if o.Account != "" {
		return o.Account
	}
	return "~" + Fold(o.Nick)
}

// Host returns the cloak: user/ACCOUNT, or guest/NODE with 8 characters of the node's id.
func (o Occupant) Host() string { return HostOf(o.Account, o.Nodes) }

// HostOf returns the cloak of somebody with these nodes.
func HostOf(account string, nodes []NodeID) string {
	if account != "" {
		return "user/" + account
	}
	if len(nodes) == 0 {
		return "guest/nowhere"
	}
	return "guest/" + nodes[0].Short()
}

// Mask returns nick!user@host.
func (o Occupant) Mask() string { return o.Nick + "!" + o.User() + "@" + o.Host() }

// Object is a thing in a room. Values are shared between copies: nobody changes one in place.
type Object struct {
	_       struct{} `cbor:",toarray"`
	ID      string   // 13 characters, from the hash of the request that made it
	Kind    Kind
	Name    string
	Owner   perms.Principal
	Tags    []string // folded, sorted
	ACL     perms.ACL
	Type    string // media type of Text
	Text    []byte
	Target  string // exit: the room it leads to
	Rev     uint64 // 1, 2, 3 …
	Created int64  // ms
	Changed int64  // ms
	By      perms.Principal
}

// Settings of a room.
type Settings struct {
	_         struct{} `cbor:",toarray"`
	TopicLock bool
	Secret    bool
	Limit     uint32
	Key       []byte // KeyVerifier of the password's proof; empty: none
	Title     string
	// Controllers is how many the room asks for, up to MaxControllers; 0: as the size of the network says.
	Controllers uint8
	// Retention is how many days copies keep what was decided; 0: for ever. It is no deadline that everybody must meet: a copy lets go in steps of
	// some hundred decisions, always keeps the newest, and who keeps more than that does no harm.
	Retention uint16
	// Forgotten is the time (ms) of which settings of the past allowed copies to let go all that is older; what is lost does not come back when
	// the room decides to keep it.
	Forgotten int64
	// Ticks is how many ticks per second the room asks for while somebody is in it, up to MaxTicks; 0: none.
	Ticks uint8
}

// Gone returns the time (ms since the Unix epoch) before which a copy may have let go what was decided, at now; 0: it must have everything.
func (s *Settings) Gone(now int64) int64 {
	if s.Retention == 0 {
		return s.Forgotten
	}
	return max(s.Forgotten, now-int64(s.Retention)*day)
}

// State is a room as it stands after a decision. Read it freely, change it only through a Chain.
type State struct {
	_           struct{} `cbor:",toarray"`
	B           Base
	Name        string // without '#', as first written
	Maker       perms.Principal
	Created     int64 // ms
	Temporary   bool
	Closed      bool
	EmptySince  int64 // ms since when nobody is here, 0: somebody is
	Subject     string
	SubjectBy   string // nick
	SubjectTime int64
	Set         Settings
	ACL         perms.ACL
	Sanctions   []perms.Penalty
	Invited     map[perms.Principal]int64 // ms when invited
	Occupants   map[string]Occupant       // by folded nick
	Objects     map[string]Object         // by id
	Tags        []string                  // of the room itself
	Bytes       int                       // of all documents
	Gone        map[NodeID]int64          // ms: endorsements that the node is gone have been used up to here; kept while they could be used again
}

// NewState returns the room that a directory record founds.
func NewState(r RoomRecord) *State {
	acl := perms.ACL{}.Grant(perms.Everyone, perms.Enter|perms.Read|perms.Say|perms.Annotate).Grant(perms.Registered, perms.Insert)
	if len(r.Members) > 0 {
		acl = nil
		for _, m := range r.Members {
			acl = acl.Grant(m, perms.Enter|perms.Read|perms.Say|perms.Annotate|perms.Insert)
		}
	}
	if r.Maker != "" {
		acl = acl.Grant(r.Maker, perms.Manage)
	}
	return &State{
		B:    Base{Controllers: slices.Clone(r.Controllers), Counters: map[NodeID]uint64{}},
		Name: r.Name, Maker: r.Maker, Created: r.Time, Temporary: r.Temporary, EmptySince: max(1, r.Time),
		Set: Settings{TopicLock: true, Secret: len(r.Members) > 0}, ACL: acl,
		Invited: map[perms.Principal]int64{}, Occupants: map[string]Occupant{}, Objects: map[string]Object{},
		Gone: map[NodeID]int64{},
	}
}

// Base implements Machine.
func (s *State) Base() *Base { return &s.B }

// Snapshot implements Machine.
func (s *State) Snapshot() []byte { return Marshal(s) }

// RestoreState reads what Snapshot wrote.
func RestoreState(data []byte) (*State, error) {
	s := &State{}
	if err := Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("room state: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("room state: %w", err)
	}
	return s, nil
}

// Occupant returns the occupant with this nick (any case).
func (s *State) Occupant(nick string) (Occupant, bool) {
	o, ok := s.Occupants[Fold(nick)]
	return o, ok
}

// Direct reports whether the room is a conversation of two, in which nobody needs to enter.
func (s *State) Direct() bool { return strings.HasPrefix(s.Name, directRoomPrefix) }

// TickEvery returns the ms between two ticks that the room asks for now; 0: it wants none.
func (s *State) TickEvery() int64 {
	if s.Set.Ticks == 0 || s.Closed || len(s.Occupants) == 0 {
		return 0
	}
	return 1000 / int64(s.Set.Ticks)
}

// Nicks returns the folded nicks of all occupants, sorted.
func (s *State) Nicks() []string { return sortedKeys(s.Occupants) }

// ObjectNamed returns the object of this kind with this name (any case), or of any kind when kind is empty.
func (s *State) ObjectNamed(kind Kind, name string) (Object, bool) {
	fold, found := Fold(name), Object{}
	for id, o := range s.Objects {
		if (kind == "" || o.Kind == kind) && (found.ID == "" || id < found.ID) && Fold(o.Name) == fold {
			found = o // of two kinds with one name, the first by id: the same on every replica
		}
	}
	return found, found.ID != ""
}

// List returns the objects of this kind (all when empty), sorted by name.
func (s *State) List(kind Kind) []Object {
	var out []Object
	for _, o := range s.Objects {
		if kind == "" || o.Kind == kind {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Object) int {
		if c := strings.Compare(Fold(a.Name), Fold(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// Decide asks perms whether who may do right in the room (obj nil) or to an object of it, at now (ms). Where nobody speaks of read, who is here,
// is invited, or may enter, may read: a room by invitation only keeps its log from all others.
func (s *State) Decide(who perms.Subject, right perms.Rights, obj *Object, now int64, g perms.Groups) perms.Answer {
	q := s.query(who, right, obj, now, g)
	a := perms.Decide(q)
	if !a.OK && right == perms.Read && s.welcome(who, now, g) {
		q.ACLs = append(q.ACLs, perms.ACL{{Who: who.Principal, Allow: perms.Read}})
		return perms.Decide(q)
	}
	return a
}

// welcome reports whether who is an occupant, is invited, or may enter.
func (s *State) welcome(who perms.Subject, now int64, g perms.Groups) bool {
	if _, invited := s.Invited[who.Principal]; invited || perms.Decide(s.query(who, perms.Enter, nil, now, g)).OK {
		return true
	}
	for _, o := range s.Occupants {
		if o.Principal() == who.Principal {
			return true
		}
	}
	return false
}

func (s *State) query(who perms.Subject, right perms.Rights, obj *Object, now int64, g perms.Groups) perms.Query {
	q := perms.Query{Subject: who, Right: right, ACLs: []perms.ACL{s.ACL}, Sanctions: s.Sanctions, Now: now, Groups: g}
	if obj != nil {
		q.ACLs, q.Owner = []perms.ACL{obj.ACL, s.ACL}, obj.Owner
	}
	return q
}

// SubjectOf returns who as perms knows them, with the mask of the occupant of that nick when it is theirs.
func (s *State) SubjectOf(account, nick string, node NodeID) perms.Subject {
	p := PrincipalOf(account, nick, node)
	if o, ok := s.Occupant(nick); ok && o.Principal() == p {
		return perms.Subject{Principal: p, Mask: o.Mask()}
	}
	o := Occupant{Nick: nick, Account: account, Nodes: []NodeID{node}}
	return perms.Subject{Principal: p, Mask: o.Mask()}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// validName accepts 1 to MaxName bytes of UTF-8 without control characters and without leading or trailing space.
func validName(s string) bool {
	return s != "" && len(s) <= MaxName && cleanLine(s) && strings.TrimSpace(s) == s
}

// validPrincipal accepts 1 to MaxPrincipal bytes without control characters.
func validPrincipal(p perms.Principal) bool {
	return p != "" && len(p) <= MaxPrincipal && cleanLine(string(p))
}

// cleanLine accepts UTF-8 without control characters (Unicode category Cc, which never changes).
func cleanLine(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// cleanText accepts UTF-8 without NUL and CR: no protocol can carry them.
func cleanText(s string) bool { return utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\r") }

func tooLong(s string, limit int) errs.Kind {
	switch {
	case len(s) > limit:
		return errs.TooLarge
	case !cleanText(s):
		return errs.Invalid
	}
	return errs.OK
}
