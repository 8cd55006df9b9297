package rooms

import (
	"fmt"
	"slices"
	"strings"

	"warren/perms"
)

// Limits of the directory.
const (
	MaxAccounts        = 100_000
	MaxDevices         = 64     // of one account, past ones included
	MaxNodes           = 4096   // past ones included
	MaxRooms           = 50_000 // past ones are forgotten once closed
	MaxRoomsOfAccount  = 512    // permanent and temporary rooms made by one account
	MaxRoomsOfNode     = 1024   // rooms made by guests of one node
	MaxMembers         = 64     // named in a room's record
	maxNodeName        = 32
	directRoomPrefix   = "="
	inventoryPrefix    = "~"
	forbiddenRoomChars = " ,:#!?@\"'&<>"
)

// Genesis is what all nodes of a network share. Its hash is the network's id.
type Genesis struct {
	_           struct{} `cbor:",toarray"`
	Name        string   // of the network
	Domain      string   // virtual XMPP domain
	Founder     NodeID   // first node and first controller of the directory
	FounderName string
	Time        int64  // ms
	Recovery    NodeID // public half of the recovery key
}

// ID returns the network's id.
func (g *Genesis) ID() Hash { return hashOf("warren/network/1", g) }

// Directory returns the room id of the network's directory.
func (g *Genesis) Directory() RoomID { return hashOf("warren/directory/1", g.ID()) }

// Device is a key that may sign for an account, from one directory version on and up to another.
type Device struct {
	_    struct{} `cbor:",toarray"`
	Key  NodeID
	From uint64 // version
	To   uint64 // version, exclusive; 0: still
}

// AccountRecord is what the directory knows of an account.
type AccountRecord struct {
	_       struct{} `cbor:",toarray"`
	Name    string
	Key     NodeID
	From    uint64 // version
	Time    int64  // ms
	Changes uint64 // device changes so far
	Devices []Device
}

// NodeRecord is what the directory knows of a node.
type NodeRecord struct {
	_       struct{} `cbor:",toarray"`
	ID      NodeID
	Name    string
	Label   string
	Sponsor string
	From    uint64
	To      uint64 // exclusive; 0: still inside
	By      NodeID // who asked the directory to let it in: unlike the sponsor's name, no word of somebody else
}

// RoomRecord is what the directory knows of a room.
type RoomRecord struct {
	_           struct{} `cbor:",toarray"`
	ID          RoomID
	Name        string
	Maker       perms.Principal
	Members     []perms.Principal // private rooms: whom it was made for
	Temporary   bool              // as it was made; the room itself knows better
	Time        int64             // ms
	From        uint64            // version
	Controllers []NodeID          // at founding
	Now         []NodeID          // as last witnessed
	Since       uint64            // the room's height of the last witnessed reconfiguration, or of the first decision of its epoch
	Quota       string            // whose quota it counts against
	Floor       uint64            // the height above which Now certify
	FloorHead   Hash              // of the header there
	Epochs      []EpochRecord     // after the first
	Secret      bool              // as one of its controllers said last
}

// Direct reports whether the room is a conversation of two.
func (r *RoomRecord) Direct() bool { return strings.HasPrefix(r.Name, directRoomPrefix) }

// Listed reports whether the room may be shown to everybody.
func (r *RoomRecord) Listed() bool { return len(r.Members) == 0 && !r.Secret }

// Directory is the machine of the directory: names and keys of accounts, nodes, rooms. It keeps when each fact held, so that any earlier
// version can be asked. Read it freely under the caller's lock, change it only through a Chain.
type Directory struct {
	_        struct{} `cbor:",toarray"`
	B        Base
	Genesis  Genesis
	Version  uint64
	Accounts map[string]AccountRecord
	Nodes    map[NodeID]NodeRecord
	Rooms    map[RoomID]RoomRecord
	Invites  map[string]uint32 // uses so far
	Made     map[string]int    // open rooms by quota holder
	Rescues  []Rescue          // its own epochs after the first

	names map[string]RoomID // folded; derived
}

// NewDirectory founds a network's directory, with the founder inside and in control.
func NewDirectory(g Genesis) *Directory {
	return &Directory{
		B: Base{Controllers: []NodeID{g.Founder}, Counters: map[NodeID]uint64{}}, Genesis: g,
		Accounts: map[string]AccountRecord{}, Rooms: map[RoomID]RoomRecord{}, Invites: map[string]uint32{}, Made: map[string]int{},
		Nodes: map[NodeID]NodeRecord{g.Founder: {ID: g.Founder, Name: g.FounderName, Sponsor: g.FounderName, By: g.Founder}},
		names: map[string]RoomID{},
	}
}

// Base implements Machine.
func (d *Directory) Base() *Base { return &d.B }

// Snapshot implements Machine.
func (d *Directory) Snapshot() []byte { return Marshal(d) }

// RestoreDirectory reads what Snapshot wrote.
func RestoreDirectory(data []byte) (*Directory, error) {
	d := &Directory{}
	if err := Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	d.names = make(map[string]RoomID, len(d.Rooms))
	for id, r := range d.Rooms {
		d.names[Fold(r.Name)] = id
	}
	return d, nil
}

// At returns the view of version v, which must not be above Version.
func (d *Directory) At(v uint64) View { return directoryView{d, v} }

// Now returns the view of the newest version.
func (d *Directory) Now() View { return directoryView{d, d.Version} }

type directoryView struct {
	d *Directory
	v uint64
}

func (w directoryView) Version() uint64 { return w.v }

func (w directoryView) Signs(account string, device NodeID) bool {
	a, ok := w.d.Accounts[account]
	if !ok || a.From > w.v {
		return false
	}
	if device == a.Key {
		return true
	}
	return slices.ContainsFunc(a.Devices, func(d Device) bool { return d.Key == device && d.From <= w.v && (d.To == 0 || w.v < d.To) })
}

func (w directoryView) HasAccount(name string) bool {
	a, ok := w.d.Accounts[name]
	return ok && a.From <= w.v
}

func (w directoryView) Node(id NodeID) (NodeRecord, bool) {
	n, ok := w.d.Nodes[id]
	return n, ok && n.From <= w.v && (n.To == 0 || w.v < n.To)
}

func (w directoryView) Epochs(room RoomID) []EpochRecord {
	list := w.d.Rooms[room].Epochs
	for len(list) > 0 && list[len(list)-1].From > w.v {
		list = list[:len(list)-1]
	}
	return list
}

// Member implements perms.Groups. There are no groups yet, so nobody is in one.
func (w directoryView) Member(string, string) bool { return false }

// RoomByName returns the record of the room of that name (any case, without '#').
func (d *Directory) RoomByName(name string) (RoomRecord, bool) {
	id, ok := d.names[Fold(name)]
	return d.Rooms[id], ok
}

// RoomIDs returns the ids of all rooms, sorted by folded name.
func (d *Directory) RoomIDs() []RoomID {
	var out []RoomID
	for _, n := range sortedKeys(d.names) {
		out = append(out, d.names[n])
	}
	return out
}

// NodeIDs returns the nodes inside, sorted.
func (d *Directory) NodeIDs() []NodeID {
	var out []NodeID
	for id, n := range d.Nodes {
		if n.To == 0 {
			out = append(out, id)
		}
	}
	SortNodes(out)
	return out
}

// AccountDigest is what an account's own key signs to make itself ("register"), or to add ("device") or drop ("drop") a device.
func AccountDigest(directory RoomID, what, name string, key, device NodeID, nonce uint64) []byte {
	h := hashOf("warren/account/1", []any{directory, what, name, key, device, nonce})
	return h[:]
}

// DirectName returns the name of the room of two principals, the same whoever asks.
func DirectName(a, b perms.Principal) string {
	if b < a {
		a, b = b, a
	}
	return directRoomPrefix + hashOf("warren/direct/1", []any{a, b}).MsgID()
}

// InventoryName returns the name of an account's own room.
func InventoryName(account string) string { return inventoryPrefix + account }

// ValidRoomName reports whether a room may have this name (without '#'): 1 to 63 bytes of UTF-8 without spaces, commas, colons, quotes,
// '#', '!', '?', '@', '&', '<', '>' or control characters.
func ValidRoomName(name string) bool {
	return validName(name) && len(name) < MaxName && !strings.ContainsAny(name, forbiddenRoomChars) && strings.Trim(name, ".") == name
}

// ValidAccountName reports whether an account may be registered under this name: folded, such that its inventory can be named after it, and
// without the characters by which principals and masks are told apart. It is what every replica can check; names that people see as the same
// are the bridge's care.
func ValidAccountName(name string) bool {
	return name != "" && name == Fold(name) && ValidRoomName(InventoryName(name)) && !strings.ContainsAny(name, "~%+*")
}

// PlacementSeed turns a name into the id-like value by which founding controllers are placed: the room's id is not known before it is ordered.
func PlacementSeed(name string) RoomID { return hashOf("warren/placement-seed/1", Fold(name)) }
