package world

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// User is a person, connected to one node at a time. A user acts from one goroutine.
type User struct {
	Name string

	w       *World
	node    *Node
	account bool
}

// User returns the person of that name: a guest until WithAccount is called.
func (w *World) User(name string) *User {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.users[name]
	if u == nil {
		u = &User{Name: name, w: w}
		w.users[name] = u
	}
	return u
}

// WithAccount gives the user an account of that name, made when the user first connects to a node.
func (u *User) WithAccount() *User {
	u.account = true
	return u
}

// On connects the user to a node. An account's node becomes one of its devices.
func (u *User) On(node string) *User {
	u.w.t.Helper()
	if err := u.TryOn(node); err != nil {
		u.w.tell()
		u.w.t.Fatalf("%s connects to %s: %v", u.Name, node, err)
	}
	return u
}

// TryOn is On for any goroutine.
func (u *User) TryOn(node string) error {
	for _, n := range u.w.nodes {
		if n.Name == node {
			u.node = n
			if u.account {
				return u.login()
			}
			return nil
		}
	}
	return fmt.Errorf("there is no node %q", node)
}

// accountName is what requests carry.
func (u *User) accountName() string {
	if u.account {
		return rooms.Fold(u.Name)
	}
	return ""
}

// login registers the account, or makes the node a device of it.
func (u *User) login() error {
	h := u.node.Host()
	if h == nil {
		return errs.Closed
	}
	name, key, dir := u.accountName(), keyOf("account "+u.Name), h.Dir().ID()
	for range 5 {
		var rec rooms.AccountRecord
		known, signs := false, false
		h.Directory(func(d *rooms.Directory) {
			rec, known = d.Accounts[name]
			signs = d.Now().Signs(name, u.node.ID)
		})
		if signs {
			return nil
		}
		var b rooms.Body = &rooms.Register{Name: name, Key: idOf(key), Device: u.node.ID,
			Sig: ed25519.Sign(key, rooms.AccountDigest(dir, "register", name, idOf(key), u.node.ID, 0))}
		if known {
			b = &rooms.AddDevice{Account: name, Device: u.node.ID, Nonce: rec.Changes,
				Sig: ed25519.Sign(key, rooms.AccountDigest(dir, "device", name, rec.Key, u.node.ID, rec.Changes))}
		}
		ctx, cancel := u.w.patience()
		err := h.Order(ctx, b)
		cancel()
		if err != nil && !errors.Is(err, errs.Exists) && !errors.Is(err, errs.Stale) {
			return err
		}
	}
	return errs.Busy
}

// joinPatience is for how long somebody tries to enter a room that is frozen.
const joinPatience = 15 * time.Second

// Join enters a room, which is made when there is none of that name. A guest whose nick is taken goes in as nick~node, as the bridges do it.
func (u *User) Join(room string) *Seat {
	u.w.t.Helper()
	s, err := u.TryJoin(room)
	for end := time.Now().Add(joinPatience); errors.Is(err, errs.Frozen) && time.Now().Before(end); {
		time.Sleep(time.Second) // virtual: people try again when they read that the room is frozen, as while nodes are just coming up
		s, err = u.TryJoin(room)
	}
	if err != nil {
		u.w.tell()
		u.w.t.Fatalf("%s joins %s on %s: %v", u.Name, room, u.node.Name, err)
	}
	return s
}

// TryJoin is Join for any goroutine.
func (u *User) TryJoin(room string) (*Seat, error) {
	h := u.node.Host()
	if h == nil {
		return nil, errs.Closed
	}
	ctx, cancel := u.w.patience()
	defer cancel()
	var rec rooms.RoomRecord
	known := false
	h.Directory(func(d *rooms.Directory) { rec, known = d.RoomByName(room) })
	if !known {
		id, err := h.Create(ctx, u.accountName(), u.Name, rooms.CreateRoom{Name: room, Temporary: true, Maker: perms.Principal("")})
		if err != nil && !errors.Is(err, errs.Exists) {
			return nil, fmt.Errorf("make the room: %w", err)
		}
		rec.ID = id
	}
	r, err := h.Open(ctx, rec.ID, u.accountName(), u.Name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	s := &Seat{Room: room, w: u.w, u: u, node: u.node, id: rec.ID, r: r, nick: u.Name, began: time.Now()}
	s.watch()
	err = s.TryAsk(&rooms.Enter{View: "world"})
	if errors.Is(err, errs.NickInUse) && !u.account {
		s.nick = u.Name + "~" + u.node.Name
		err = s.TryAsk(&rooms.Enter{View: "world"})
	}
	if err != nil && !errors.Is(err, errs.Exists) {
		s.stop()
		return nil, fmt.Errorf("enter: %w", err)
	}
	return s, nil
}
