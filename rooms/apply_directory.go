package rooms

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"warren/perms"
	"warren/rooms/errs"
)

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
	case *HideRoom:
		kind = d.hideRoom(r, b)
	case *LabelNode:
		kind = d.labelNode(r, b)
	case *DropNode:
		kind = d.dropNode(ctx, r, b)
	case *CreateRoom:
		kind = d.createRoom(ctx, r, b)
	case *DropRoom:
		kind = d.dropRoom(b)
	case *Witness:
		kind = d.witness(b)
	case *NewEpoch:
		kind = d.newEpoch(ctx, r, b)
	}
	if kind != errs.OK {
		return kind, nil
	}
	d.Version = ctx.height
	return errs.OK, &Event{}
}

func (d *Directory) register(ctx *context, r *Request, b *Register) errs.Kind {
	if !ValidAccountName(b.Name) || r.Device != b.Device || r.Account != "" || b.Key.IsZero() {
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
	case b.Device.IsZero():
		return errs.Invalid
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
	if b.Node.IsZero() || !validName(b.Name) || len(b.Name) > maxNodeName || !validLabel(b.Label) ||
		len(b.Sponsor) > MaxName || !cleanLine(b.Sponsor) || len(b.Invite) > MaxName || !cleanLine(b.Invite) {
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
	d.Nodes[b.Node] = NodeRecord{ID: b.Node, Name: d.freeNodeName(b.Name), Label: b.Label, Sponsor: b.Sponsor, From: ctx.height, By: r.Device}
	return errs.OK
}

func validLabel(l string) bool { return len(l) <= MaxName && cleanLine(l) }

// labelNode lets a node say anew where it is. It concerns placement only, from now on; placement asks no earlier version.
func (d *Directory) labelNode(r *Request, b *LabelNode) errs.Kind {
	n, known := d.Nodes[r.Device]
	switch {
	case !r.Principal().IsNode() || !known:
		return errs.Denied
	case !validLabel(b.Label):
		return errs.Invalid
	case n.Label == b.Label:
		return errs.Exists
	}
	n.Label = b.Label
	d.Nodes[r.Device] = n
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
	if slices.ContainsFunc(b.Members, func(m perms.Principal) bool { return !validPrincipal(m) }) {
		return errs.Invalid
	}
	maker := b.Maker
	if maker.IsNode() {
		maker = "" // a room that the network made itself has no manager
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
		ID: id, Name: b.Name, Maker: maker, Members: b.Members, Temporary: b.Temporary, Time: ctx.time, From: ctx.height,
		Controllers: b.Controllers, Now: b.Controllers, Quota: quota, FloorHead: id,
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

func (d *Directory) hideRoom(r *Request, b *HideRoom) errs.Kind {
	rec, ok := d.Rooms[b.Room]
	switch {
	case !ok:
		return errs.NotFound
	case !r.Principal().IsNode() || !slices.Contains(rec.Now, r.Device):
		return errs.Denied
	case rec.Secret == b.Secret:
		return errs.Exists
	}
	rec.Secret = b.Secret
	d.Rooms[rec.ID] = rec
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
	rec.Floor, rec.FloorHead = dec.Header.Height, dec.Header.Hash()
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
	if dec.Header.Epoch != rec.Epoch() {
		return rec, nil, errs.Stale
	}
	if dec.Cert.Verify(dec.Header.Hash(), rec.Now) != nil {
		return rec, nil, errs.Void
	}
	return rec, &dec, errs.OK
}
