package rooms

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"warren/perms"
	"warren/rooms/errs"
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
	forbiddenRoomChars = " ,:#!?@\"'&<>\n\t\a\x7f"
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
	Since       uint64            // the room's height of the last witnessed reconfiguration
	Quota       string            // whose quota it counts against
}

// Direct reports whether the room is a conversation of two.
func (r *RoomRecord) Direct() bool { return strings.HasPrefix(r.Name, directRoomPrefix) }

// Listed reports whether the room may be shown to everybody.
func (r *RoomRecord) Listed() bool { return len(r.Members) == 0 }

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

	names map[string]RoomID // folded; derived
}

// NewDirectory founds a network's directory, with the founder inside and in control.
func NewDirectory(g Genesis) *Directory {
	return &Directory{
		B: Base{Controllers: []NodeID{g.Founder}, Counters: map[NodeID]uint64{}}, Genesis: g,
		Accounts: map[string]AccountRecord{}, Rooms: map[RoomID]RoomRecord{}, Invites: map[string]uint32{}, Made: map[string]int{},
		Nodes: map[NodeID]NodeRecord{g.Founder: {ID: g.Founder, Name: g.FounderName, Sponsor: g.FounderName}},
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
	if d.B.Counters == nil || d.Accounts == nil || d.Nodes == nil || d.Rooms == nil || d.Invites == nil || d.Made == nil {
		return nil, fmt.Errorf("directory: a table is missing")
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
	return validName(name) && len(name) < MaxName && !strings.ContainsAny(name, forbiddenRoomChars) &&
		strings.IndexFunc(name, func(r rune) bool { return r < ' ' }) < 0 && strings.Trim(name, ".") == name
}

// apply implements Machine. Every version is the height of the decision that made it.
func (d *Directory) apply(ctx *context, r *Request, body Body) (errs.Kind, *Event) {
	kind := errs.Invalid
	switch b := body.(type) {
	case *Register:
		kind = d.register(ctx, r, b)
	case *AddDevice:
		kind = d.addDevice(ctx, b)
	case *DropDevice:
		kind = d.dropDevice(ctx, b)
	case *AdmitNode:
		kind = d.admit(ctx, r, b)
	case *DropNode:
		kind = d.dropNode(ctx, r, b)
	case *CreateRoom:
		kind = d.createRoom(ctx, r, b)
	case *DropRoom:
		kind = d.dropRoom(b)
	case *Witness:
		kind = d.witness(b)
	}
	if kind != errs.OK {
		return kind, nil
	}
	d.Version = ctx.height
	return errs.OK, &Event{}
}

func (d *Directory) register(ctx *context, r *Request, b *Register) errs.Kind {
	if !validName(b.Name) || b.Name != Fold(b.Name) || strings.ContainsAny(b.Name, " ~@%+*#!") || r.Device != b.Device || r.Account != "" {
		return errs.Invalid
	}
	if !signedBy(b.Key, b.Sig, AccountDigest(ctx.room, "register", b.Name, b.Key, b.Device, 0)) {
		return errs.Void
	}
	if _, taken := d.Accounts[b.Name]; taken {
		return errs.Exists
	}
	if len(d.Accounts) >= MaxAccounts {
		return errs.Quota
	}
	d.Accounts[b.Name] = AccountRecord{
		Name: b.Name, Key: b.Key, From: ctx.height, Time: ctx.time, Changes: 1, Devices: []Device{{Key: b.Device, From: ctx.height}},
	}
	return errs.OK
}

func (d *Directory) addDevice(ctx *context, b *AddDevice) errs.Kind {
	a, ok := d.Accounts[b.Account]
	switch {
	case !ok:
		return errs.NotFound
	case b.Nonce != a.Changes:
		return errs.Stale
	case !signedBy(a.Key, b.Sig, AccountDigest(ctx.room, "device", b.Account, a.Key, b.Device, b.Nonce)):
		return errs.Void
	case slices.ContainsFunc(a.Devices, func(v Device) bool { return v.Key == b.Device && v.To == 0 }):
		return errs.Exists
	case len(a.Devices) >= MaxDevices:
		return errs.Quota
	}
	a.Devices = append(slices.Clone(a.Devices), Device{Key: b.Device, From: ctx.height})
	a.Changes++
	d.Accounts[b.Account] = a
	return errs.OK
}

func (d *Directory) dropDevice(ctx *context, b *DropDevice) errs.Kind {
	a, ok := d.Accounts[b.Account]
	switch {
	case !ok:
		return errs.NotFound
	case b.Nonce != a.Changes:
		return errs.Stale
	case !signedBy(a.Key, b.Sig, AccountDigest(ctx.room, "drop", b.Account, a.Key, b.Device, b.Nonce)):
		return errs.Void
	}
	i := slices.IndexFunc(a.Devices, func(v Device) bool { return v.Key == b.Device && v.To == 0 })
	if i < 0 {
		return errs.NotFound
	}
	a.Devices = slices.Clone(a.Devices)
	a.Devices[i].To = ctx.height
	a.Changes++
	d.Accounts[b.Account] = a
	return errs.OK
}

func signedBy(key NodeID, sig, digest []byte) bool {
	return len(sig) == ed25519.SignatureSize && ed25519.Verify(key.Public(), digest, sig)
}

func (d *Directory) admit(ctx *context, r *Request, b *AdmitNode) errs.Kind {
	if !r.Principal().IsNode() {
		return errs.Denied
	}
	if !validName(b.Name) || len(b.Name) > maxNodeName || len(b.Label) > MaxName || !cleanText(b.Label) || len(b.Sponsor) > MaxName ||
		!cleanText(b.Sponsor) || len(b.Invite) > MaxName || !cleanText(b.Invite) {
		return errs.Invalid
	}
	if old, known := d.Nodes[b.Node]; known {
		if old.To == 0 {
			return errs.Exists
		}
		return errs.Denied // put out once: comes back with a new key only
	}
	if len(d.Nodes) >= MaxNodes {
		return errs.Quota
	}
	if b.Invite != "" {
		if d.Invites[b.Invite] >= b.Uses {
			return errs.Quota
		}
		d.Invites[b.Invite]++
	}
	d.Nodes[b.Node] = NodeRecord{ID: b.Node, Name: d.freeNodeName(b.Name), Label: b.Label, Sponsor: b.Sponsor, From: ctx.height}
	return errs.OK
}

// freeNodeName returns name, with a number behind it when another node has it: a node's name shows in nicks, so it must be unique.
func (d *Directory) freeNodeName(name string) string {
	taken := map[string]bool{}
	for _, n := range d.Nodes {
		taken[Fold(n.Name)] = true
	}
	for i, try := 2, name; ; i++ {
		if !taken[Fold(try)] {
			return try
		}
		try = fmt.Sprintf("%s%d", name, i)
	}
}

func (d *Directory) dropNode(ctx *context, r *Request, b *DropNode) errs.Kind {
	n, ok := d.Nodes[b.Node]
	switch {
	case !ok || n.To != 0:
		return errs.NotFound
	case r.Device != b.Node && r.Device != d.Genesis.Founder:
		return errs.Denied
	case slices.Contains(d.B.Controllers, b.Node):
		return errs.Denied // it must be replaced as a controller first
	}
	n.To = ctx.height
	d.Nodes[b.Node] = n
	return errs.OK
}

func (d *Directory) createRoom(ctx *context, r *Request, b *CreateRoom) errs.Kind {
	if !ValidRoomName(b.Name) || b.Maker != r.Principal() || len(b.Members) > MaxMembers || len(b.Controllers) == 0 ||
		len(b.Controllers) > MaxControllers || !sortedNodes(b.Controllers) {
		return errs.Invalid
	}
	if b.Maker.IsNode() {
		b.Maker = "" // a room that the network made itself has no manager
	}
	for _, n := range b.Controllers {
		if _, ok := ctx.dir.Node(n); !ok {
			return errs.NotFound
		}
	}
	switch {
	case strings.HasPrefix(b.Name, directRoomPrefix):
		if len(b.Members) != 2 || b.Name != DirectName(b.Members[0], b.Members[1]) || !slices.Contains(b.Members, r.Principal()) {
			return errs.Invalid
		}
	case strings.HasPrefix(b.Name, inventoryPrefix):
		if r.Account == "" || b.Name != InventoryName(r.Account) || len(b.Members) != 1 || b.Members[0] != r.Principal() {
			return errs.Denied
		}
	}
	if _, taken := d.names[Fold(b.Name)]; taken {
		return errs.Exists
	}
	quota, limit := r.Account, MaxRoomsOfAccount
	if quota == "" {
		quota, limit = "%"+r.Device.String(), MaxRoomsOfNode
	}
	if d.Made[quota] >= limit || len(d.Rooms) >= MaxRooms {
		return errs.Quota
	}
	id := hashOf("warren/room/1", []any{ctx.prev, ctx.id})
	d.Rooms[id] = RoomRecord{
		ID: id, Name: b.Name, Maker: b.Maker, Members: b.Members, Temporary: b.Temporary, Time: ctx.time, From: ctx.height,
		Controllers: b.Controllers, Now: b.Controllers, Quota: quota,
	}
	d.Made[quota]++
	d.names[Fold(b.Name)] = id
	return errs.OK
}

func (d *Directory) dropRoom(b *DropRoom) errs.Kind {
	rec, _, kind := d.proof(b.Room, b.Decision, OpClose)
	if kind != errs.OK {
		return kind
	}
	delete(d.names, Fold(rec.Name))
	delete(d.Rooms, rec.ID)
	if d.Made[rec.Quota]--; d.Made[rec.Quota] <= 0 {
		delete(d.Made, rec.Quota)
	}
	return errs.OK
}

func (d *Directory) witness(b *Witness) errs.Kind {
	rec, dec, kind := d.proof(b.Room, b.Decision, OpReconfigure)
	if kind != errs.OK {
		return kind
	}
	body, err := dec.Batch.Requests[0].Decode()
	rc, ok := body.(*Reconfigure)
	if err != nil || !ok {
		return errs.Invalid
	}
	if rc.Since != rec.Since || dec.Header.Height <= rec.Since {
		return errs.Stale
	}
	rec.Now, rec.Since = rc.Controllers, dec.Header.Height
	d.Rooms[rec.ID] = rec
	return errs.OK
}

// proof checks a room's own decision, brought as an import: certified by the controllers that the directory knows, and holding one applied
// request of this operation, alone in its batch.
func (d *Directory) proof(room RoomID, data []byte, op Op) (RoomRecord, *Decision, errs.Kind) {
	rec, ok := d.Rooms[room]
	if !ok {
		return rec, nil, errs.NotFound
	}
	var dec Decision
	if Unmarshal(data, &dec) != nil || dec.Header.Room != room || len(dec.Batch.Requests) != 1 || dec.Batch.Requests[0].Op != op ||
		dec.CheckShape() != nil || dec.Verdicts.At(0) != errs.OK {
		return rec, nil, errs.Invalid
	}
	if dec.Cert.Verify(dec.Header.Hash(), rec.Now) != nil {
		return rec, nil, errs.Void
	}
	return rec, &dec, errs.OK
}

// PlacementSeed turns a name into the id-like value by which founding controllers are placed: the room's id is not known before it is ordered.
func PlacementSeed(name string) RoomID { return hashOf("warren/placement-seed/1", Fold(name)) }
