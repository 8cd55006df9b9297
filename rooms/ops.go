package rooms

import (
	"fmt"

	"warren/perms"
)

// Op says what a request wants. Numbers travel and lie on disk: they are only ever appended to.
type Op uint16

// Operations on rooms (1–63) and on the directory (64–127).
const (
	OpEnter       Op = 1
	OpLeave       Op = 2
	OpNick        Op = 3
	OpSay         Op = 4
	OpSubject     Op = 5
	OpConfigure   Op = 6
	OpGrant       Op = 7
	OpSanction    Op = 8
	OpPardon      Op = 9
	OpKick        Op = 10
	OpInvite      Op = 11
	OpPut         Op = 12
	OpRemove      Op = 13
	OpTag         Op = 14
	OpKeep        Op = 15
	OpClose       Op = 16
	OpNodeGone    Op = 17
	OpReconfigure Op = 18 // rooms and the directory
	OpBegin       Op = 19 // rooms and the directory

	OpRegister   Op = 64
	OpAddDevice  Op = 65
	OpDropDevice Op = 66
	OpAdmitNode  Op = 67
	OpDropNode   Op = 68
	OpCreateRoom Op = 69
	OpDropRoom   Op = 70
	OpWitness    Op = 71
	OpNewEpoch   Op = 72
	OpLabelNode  Op = 75
	OpHideRoom   Op = 76
)

// Body is the decoded body of a request.
type Body interface{ op() Op }

// SayKind says what sort of talk it is.
type SayKind uint8

// The sorts of talk.
const (
	Message SayKind = iota // PRIVMSG, groupchat message
	Notice                 // NOTICE: never answered by bots
	Action                 // CTCP ACTION, /me
	Signal                 // no text, only tags or an extension (TAGMSG, a reaction): kept in the log, shown to who understands
)

// Bodies of operations on rooms.
type (
	// Enter makes the author an occupant under Request.Nick; entering again from another node adds the node.
	Enter struct {
		_    struct{} `cbor:",toarray"`
		Key  []byte   // KeyProof of the room's password, or nil
		View string   // "irc", "xmpp", …: shown, decides nothing
		Real string   // real name, shown
	}
	// Leave ends the author's presence from the signing node.
	Leave struct {
		_      struct{} `cbor:",toarray"`
		Reason string
		Quit   bool // the person is gone from the node, not only from this room
	}
	// Nick gives the author another nick in the room.
	Nick struct {
		_   struct{} `cbor:",toarray"`
		New string
	}
	// Say is talk.
	Say struct {
		_    struct{} `cbor:",toarray"`
		Kind SayKind
		Text string
		Tags map[string]string // IRCv3 client-only tags without their '+'
		Ext  []byte            // XML elements that XMPP clients sent beside the body
		Ref  string            // the client's own id of the message (XMPP id attribute), so that it knows its echo
	}
	// Subject sets the room's subject; empty text removes it.
	Subject struct {
		_    struct{} `cbor:",toarray"`
		Text string
	}
	// Configure changes settings; nil fields stay as they are.
	Configure struct {
		_          struct{} `cbor:",toarray"`
		TopicLock  *bool
		Secret     *bool
		Moderated  *bool // takes say from everyone (who has it by no nearer entry)
		InviteOnly *bool // takes enter and read from everyone: who enters, or is invited, may read all the same
		Limit      *uint32
		Key        *[]byte // verifier (see KeyVerifier); empty removes the password
		Title      *string // the room's name for people
		// Controllers is how many nodes are to order the room: 0 (as the network's size says), or 3 to MaxControllers. Two bear no fault and
		// freeze sooner than one.
		Controllers *uint8
		// Retention is for how many days what is decided is kept: 0 (for ever), or MinRetention to MaxRetention.
		Retention *uint16
		// Ticks is how many ticks per second the room is to have while somebody is in it, 0 to MaxTicks.
		Ticks *uint8
	}
	// Grant changes one ACL entry of the room, or of an object.
	Grant struct {
		_      struct{} `cbor:",toarray"`
		Object string   // object id, empty: the room
		Who    perms.Principal
		Allow  perms.Rights
		Deny   perms.Rights
		Forget perms.Rights // neither allowed nor denied any more
	}
	// Sanction takes rights from a principal or a mask.
	Sanction struct {
		_      struct{} `cbor:",toarray"`
		Who    perms.Principal
		Mask   string
		Denies perms.Rights
		Until  int64
		Reason string
	}
	// Pardon lifts the sanctions of exactly this principal and mask.
	Pardon struct {
		_    struct{} `cbor:",toarray"`
		Who  perms.Principal
		Mask string
	}
	// Kick removes an occupant.
	Kick struct {
		_      struct{} `cbor:",toarray"`
		Nick   string
		Reason string
	}
	// Invite lets somebody in once, past invite-only, password and limit.
	Invite struct {
		_   struct{} `cbor:",toarray"`
		Who perms.Principal
	}
	// Put makes an object (ID empty) or changes one.
	Put struct {
		_      struct{} `cbor:",toarray"`
		ID     string   // empty: a new object
		Kind   Kind
		Name   string
		Type   string // media type of Text
		Text   []byte // a document's content
		Target string // an exit's room name
		Rev    uint64 // for changes: the revision that was seen; 0: whatever it is
	}
	// Remove removes an object.
	Remove struct {
		_  struct{} `cbor:",toarray"`
		ID string
	}
	// Tag changes the tags of an object, or of the room itself (ID empty).
	Tag struct {
		_    struct{} `cbor:",toarray"`
		ID   string
		Add  []string
		Drop []string
	}
	// Keep makes a temporary room permanent.
	Keep struct {
		_ struct{} `cbor:",toarray"`
	}
	// Close ends a temporary room that has been empty for its time. Asked by a controller.
	Close struct {
		_ struct{} `cbor:",toarray"`
	}
	// NodeGone ends the presence of all occupants of a node, endorsed by a quorum of controllers.
	NodeGone struct {
		_        struct{} `cbor:",toarray"`
		Node     NodeID
		Endorsed []Endorsement
	}
	// Reconfigure replaces the set of controllers, endorsed by a quorum of the present ones.
	Reconfigure struct {
		_           struct{} `cbor:",toarray"`
		Since       uint64   // height of the last reconfiguration (0: founding): makes an endorsement good for one step
		Controllers []NodeID // the new set, sorted
		Consents    []Consent
		Endorsed    []Endorsement
	}
	// Begin is the first request of an epoch, alone in its batch: what the directory (or the recovery key) decided, in the room's own log. Asked
	// by the leading controller.
	Begin struct {
		_      struct{} `cbor:",toarray"`
		Epoch  uint64
		By     string  // the account that recovered the room; empty: the controllers' statements sufficed
		Silent uint32  // how many of the controllers before gave no statement
		Of     uint32  // how many there were
		Proof  *Rescue // of the directory's own epochs
	}
)

// Bodies of operations on the directory. All are signed by nodes; what an account wills carries the account's own signature.
type (
	// Register makes an account.
	Register struct {
		_      struct{} `cbor:",toarray"`
		Name   string   // canonical account name
		Key    NodeID   // the account's public key
		Device NodeID   // first device
		Sig    []byte   // by Key over AccountDigest("register", Name, Key, Device)
	}
	// AddDevice lets a node (or client key) sign for an account.
	AddDevice struct {
		_       struct{} `cbor:",toarray"`
		Account string
		Device  NodeID
		Nonce   uint64 // number of device changes of the account so far: a signature is good once
		Sig     []byte // by the account's key over AccountDigest("device", …)
	}
	// DropDevice ends that.
	DropDevice struct {
		_       struct{} `cbor:",toarray"`
		Account string
		Device  NodeID
		Nonce   uint64
		Sig     []byte // by the account's key over AccountDigest("drop", …)
	}
	// AdmitNode lets a node in. Asked by a node inside, for its sponsor.
	AdmitNode struct {
		_       struct{} `cbor:",toarray"`
		Node    NodeID
		Name    string
		Label   string // host or site, for placement
		Sponsor string // account, or the name of the admitting node
		Invite  string // id of the invitation, or empty
		Uses    uint32 // how often that invitation may be used
	}
	// LabelNode says anew what may fail together with the author, which is a node.
	LabelNode struct {
		_     struct{} `cbor:",toarray"`
		Label string
	}
	// DropNode puts a node out.
	DropNode struct {
		_    struct{} `cbor:",toarray"`
		Node NodeID
	}
	// CreateRoom names and founds a room.
	CreateRoom struct {
		_           struct{}          `cbor:",toarray"`
		Name        string            // without '#'
		Temporary   bool              //
		Maker       perms.Principal   // gets manage
		Members     []perms.Principal // for private rooms: who may enter and read; empty: everyone
		Controllers []NodeID          // sorted
	}
	// DropRoom takes the name of a closed room off the list; the proof is the room's own certified decision.
	DropRoom struct {
		_        struct{} `cbor:",toarray"`
		Room     RoomID
		Decision []byte // encoded Decision in which an OpClose was applied
	}
	// Witness records who controls a room now; the proof is the certified decision that says so.
	Witness struct {
		_        struct{} `cbor:",toarray"`
		Room     RoomID
		Decision []byte // encoded Decision in which an OpReconfigure was applied
	}
	// HideRoom says whether a room is secret, so that nodes without a copy do not list it either. Asked by a controller of the room, with no more
	// proof than that: it decides only what is shown in lists, and every node knows the names of all rooms.
	HideRoom struct {
		_      struct{} `cbor:",toarray"`
		Room   RoomID
		Secret bool
	}
	// NewEpoch ends a room's epoch and starts the next. Asked by a node, it needs statements of n−f of the controllers that leave no doubt about what
	// may be certified, and the same controllers go on. Asked by an account, whose node becomes the only controller at first, it needs statements of all
	// controllers but those of whom a quorum of the directory's controllers endorses that they are silent; every replica checks, by the state at the start,
	// that the account manages the room. It may begin below where the present controllers came in when none of those who are left holds that (Below).
	NewEpoch struct {
		_          struct{} `cbor:",toarray"`
		Room       RoomID
		Epoch      uint64 // the new one: the last + 1
		Statements []Statement
		Header     *Header       // certified, by Cert, when a replica knows more than the statements say
		Cert       Certificate   // of Header
		Carried    []Header      // above the highest certified one: what may have been certified
		Silent     []Endorsement // kind silent, of SilentThing
		Below      *Proof        // of the header it begins at, from the beginning of the epoch before on, when that is below the directory's Floor
	}
)

func (*Enter) op() Op       { return OpEnter }
func (*Leave) op() Op       { return OpLeave }
func (*Nick) op() Op        { return OpNick }
func (*Say) op() Op         { return OpSay }
func (*Subject) op() Op     { return OpSubject }
func (*Configure) op() Op   { return OpConfigure }
func (*Grant) op() Op       { return OpGrant }
func (*Sanction) op() Op    { return OpSanction }
func (*Pardon) op() Op      { return OpPardon }
func (*Kick) op() Op        { return OpKick }
func (*Invite) op() Op      { return OpInvite }
func (*Put) op() Op         { return OpPut }
func (*Remove) op() Op      { return OpRemove }
func (*Tag) op() Op         { return OpTag }
func (*Keep) op() Op        { return OpKeep }
func (*Close) op() Op       { return OpClose }
func (*NodeGone) op() Op    { return OpNodeGone }
func (*Reconfigure) op() Op { return OpReconfigure }
func (*Begin) op() Op       { return OpBegin }
func (*Register) op() Op    { return OpRegister }
func (*AddDevice) op() Op   { return OpAddDevice }
func (*DropDevice) op() Op  { return OpDropDevice }
func (*AdmitNode) op() Op   { return OpAdmitNode }
func (*DropNode) op() Op    { return OpDropNode }
func (*CreateRoom) op() Op  { return OpCreateRoom }
func (*DropRoom) op() Op    { return OpDropRoom }
func (*Witness) op() Op     { return OpWitness }
func (*NewEpoch) op() Op    { return OpNewEpoch }
func (*LabelNode) op() Op   { return OpLabelNode }
func (*HideRoom) op() Op    { return OpHideRoom }

// newBody returns an empty body for op, nil for an unknown one.
func newBody(op Op) Body {
	switch op {
	case OpEnter:
		return &Enter{}
	case OpLeave:
		return &Leave{}
	case OpNick:
		return &Nick{}
	case OpSay:
		return &Say{}
	case OpSubject:
		return &Subject{}
	case OpConfigure:
		return &Configure{}
	case OpGrant:
		return &Grant{}
	case OpSanction:
		return &Sanction{}
	case OpPardon:
		return &Pardon{}
	case OpKick:
		return &Kick{}
	case OpInvite:
		return &Invite{}
	case OpPut:
		return &Put{}
	case OpRemove:
		return &Remove{}
	case OpTag:
		return &Tag{}
	case OpKeep:
		return &Keep{}
	case OpClose:
		return &Close{}
	case OpNodeGone:
		return &NodeGone{}
	case OpReconfigure:
		return &Reconfigure{}
	case OpBegin:
		return &Begin{}
	case OpRegister:
		return &Register{}
	case OpAddDevice:
		return &AddDevice{}
	case OpDropDevice:
		return &DropDevice{}
	case OpAdmitNode:
		return &AdmitNode{}
	case OpDropNode:
		return &DropNode{}
	case OpCreateRoom:
		return &CreateRoom{}
	case OpDropRoom:
		return &DropRoom{}
	case OpWitness:
		return &Witness{}
	case OpNewEpoch:
		return &NewEpoch{}
	case OpLabelNode:
		return &LabelNode{}
	case OpHideRoom:
		return &HideRoom{}
	}
	return nil
}

// NewRequest returns an unsigned request with this body.
func NewRequest(room RoomID, account, nick string, body Body) Request {
	if c, ok := body.(*Configure); ok && c.Key != nil && *c.Key == nil {
		removing := *c // a pointer to nil would be encoded as no pointer: the password would stay
		removing.Key = &[]byte{}
		body = &removing
	}
	return Request{Room: room, Account: account, Nick: nick, Op: body.op(), Body: Marshal(body), Epoch: 1}
}

// Decode returns the request's body.
func (r *Request) Decode() (Body, error) {
	b := newBody(r.Op)
	if b == nil {
		return nil, fmt.Errorf("request: unknown operation %d", r.Op)
	}
	if err := Unmarshal(r.Body, b); err != nil {
		return nil, fmt.Errorf("request: body of operation %d: %w", r.Op, err)
	}
	return b, nil
}

// KeyProof returns what an entering client shows for a room's password; KeyVerifier what the room keeps of it.
func KeyProof(room RoomID, password string) []byte {
	h := hashOf("warren/room-key/1", []any{room, password})
	return h[:]
}

// KeyVerifier returns what a room stores to check a proof.
func KeyVerifier(proof []byte) []byte {
	h := hashOf("warren/room-key-verifier/1", proof)
	return h[:]
}
