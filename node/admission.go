package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"warren/node/bootstrap"
	"warren/node/bootstrap/invite"
	"warren/node/config"
	"warren/node/overlay"
	"warren/node/store"
	"warren/rooms"
	"warren/rooms/errs"
)

const (
	admitTime    = 15 * time.Second // for ordering an admission
	welcomeBytes = 6 << 20          // of the directory's log in the answer; the rest is pulled later
	welcomeCount = 20_000

	knockEvery = 2 * time.Second // while nobody has answered

	maxInviteAddrs = 4 // two transports on two addresses: a link that fits into a line of chat and a QR code
)

// welcome is what a newcomer gets: enough to check the directory by itself.
type welcome struct {
	_         struct{} `cbor:",toarray"`
	Genesis   rooms.Genesis
	Decisions [][]byte // the directory's log from height 1 on
}

// admission answers newcomers (and members that lost their memory).
func (n *Node) admission(ctx context.Context, from rooms.NodeID, data []byte) ([]byte, error) {
	req, err := bootstrap.DecodeRequest(data)
	if err != nil {
		return nil, err
	}
	if !n.Inside(from) {
		if req.Link == "" {
			return n.knocked(from, req)
		}
		if err := n.admitInvited(ctx, from, req); err != nil {
			return nil, err
		}
	}
	w, err := n.welcome()
	if err != nil {
		return nil, err
	}
	addrs := n.over.Addrs()
	return bootstrap.Answer{State: bootstrap.Admitted, Addrs: addrs[:min(len(addrs), 8)], Data: rooms.Marshal(w)}.Encode(), nil
}

func (n *Node) admitInvited(ctx context.Context, from rooms.NodeID, req bootstrap.Request) error {
	inv, err := invite.Parse(req.Link)
	if err != nil {
		return err
	}
	if err := inv.Verify(time.Now()); err != nil {
		return err
	}
	if inv.Network != n.genesis.ID() {
		return errors.New("the invitation is for another network")
	}
	if !n.Inside(inv.SponsorNode) {
		return errors.New("the invitation was signed by a node that does not belong to the network (any more)")
	}
	return n.admit(ctx, &rooms.AdmitNode{
		Node: from, Name: nameOr(req.Name, from), Label: req.Label, Sponsor: inv.Sponsor, Invite: hex.EncodeToString(inv.ID[:]), Uses: uint32(inv.Uses),
	})
}

func nameOr(name string, id rooms.NodeID) string {
	if name == "" {
		return "node-" + id.Short()
	}
	return name
}

func (n *Node) admit(ctx context.Context, b *rooms.AdmitNode) error {
	ctx, cancel := context.WithTimeout(ctx, admitTime)
	defer cancel()
	switch err := n.host.Order(ctx, b); {
	case err == nil || errors.Is(err, errs.Exists):
		return nil
	case errors.Is(err, errs.Quota):
		return errors.New("the invitation is used up: ask for a new one")
	case errors.Is(err, errs.Denied):
		return errors.New("this node was put out of the network; it can come back with a new key only")
	default:
		return fmt.Errorf("the directory cannot take newcomers now: %w", err)
	}
}

func (n *Node) welcome() (welcome, error) {
	w := welcome{Genesis: n.genesis}
	id := n.genesis.Directory()
	list, err := n.store.Range(store.Decisions, id[:], append(id[:], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), welcomeCount)
	if err != nil {
		return w, err
	}
	size := 0
	for _, kv := range list {
		if size += len(kv.Value) + 8; size > welcomeBytes {
			break
		}
		w.Decisions = append(w.Decisions, kv.Value)
	}
	return w, nil
}

func (n *Node) sponsor() string {
	if n.cfg.Node.Sponsor != "" {
		return n.cfg.Node.Sponsor
	}
	return n.name()
}

// name returns the node's name in the directory, as far as it is known there.
func (n *Node) name() string {
	name := NodeName(n.cfg)
	n.host.Directory(func(d *rooms.Directory) {
		if r, ok := d.Nodes[n.id]; ok {
			name = r.Name
		}
	})
	return name
}

// Invite makes an invitation for uses nodes that is good for life.
func (n *Node) Invite(life time.Duration, uses int) (string, error) {
	height, hash := n.host.Dir().Head()
	addrs := inviteAddrs(n.over.Addrs())
	inv := invite.Invite{
		Network: n.genesis.ID(), Name: n.genesis.Name, Addrs: addrs[:min(len(addrs), 8)], DirHeight: height, DirHash: hash,
		Expires: time.Now().Add(life).Unix(), Uses: uses, Sponsor: n.sponsor(),
	}
	if _, err := rand.Read(inv.ID[:]); err != nil {
		return "", fmt.Errorf("make invitation: %w", err)
	}
	made, err := invite.Make(n.key, inv)
	if err != nil {
		return "", err
	}
	return made.String(), nil
}

// inviteAddrs picks the addresses for a link: those that others can reach first, this machine's loopback only when there is nothing else, so
// that the link stays short.
func inviteAddrs(all []string) []string {
	var far, near []string
	for _, a := range all {
		if strings.HasPrefix(a, "/ip4/127.") || strings.HasPrefix(a, "/ip6/::1/") {
			near = append(near, a)
		} else {
			far = append(far, a)
		}
	}
	if len(far) == 0 {
		far = near
	}
	return far[:min(len(far), maxInviteAddrs)]
}

// JoinStep tells a person how joining goes on.
type JoinStep func(text string)

// Join makes the data directory of cfg a member of the network that the link invites to, or, with found, asks the network that was found on the
// local network and waits until somebody there admits this node (code is shown by say). It blocks until then or until ctx ends.
// ErrMember: the directory is a member already.
func Join(ctx context.Context, cfg config.Config, link string, found *overlay.Found, say JoinStep, log *slog.Logger) error {
	return JoinWith(ctx, cfg, Parts{}, link, found, say, log)
}

// JoinWith is Join with some parts given. A given store may be closed afterwards (the caller need not care: closing twice does no harm).
func JoinWith(ctx context.Context, cfg config.Config, parts Parts, link string, found *overlay.Found, say JoinStep, log *slog.Logger) error {
	req := bootstrap.Request{Link: link, Name: cfg.Node.Name, Label: cfg.Node.Label}
	var want rooms.Hash
	var wantName string
	var inv *invite.Invite
	var addrs []string
	if link != "" {
		i, err := invite.Parse(link)
		if err != nil {
			return err
		}
		if err := i.Verify(time.Now()); err != nil {
			return err
		}
		inv, want, wantName, addrs = &i, i.Network, i.Name, i.Addrs
	} else {
		want, wantName, addrs = found.NetworkID, found.NetworkName, found.Addrs
	}
	if req.Name == "" {
		req.Name = NodeName(cfg)
	}
	dir, err := parts.openDir(string(cfg.Node.Data), log)
	if err != nil {
		return err
	}
	defer func() { _ = dir.store.Close() }()
	if g, ok, err := dir.genesis(); err != nil {
		return err
	} else if ok {
		if g.ID() == want {
			return nil
		}
		return fmt.Errorf("%w (%q): use another --data", ErrMember, g.Name)
	}
	if _, again, err := dir.joining(); err != nil {
		return err
	} else if dir.hadKey && !again {
		say("This directory holds an old " + keyFile + " and nothing else: the node takes that key's place in the network. If it ever controlled rooms there, end this and join " +
			"with an empty directory: a controller that forgets what it signed can break their order.")
	}
	if err := dir.setJoining(wantName); err != nil {
		return err
	}
	stranger, err := overlay.NewStranger(dir.key, parts.Host...)
	if err != nil {
		return err
	}
	defer func() { _ = stranger.Close() }()
	id := rooms.NodeOf(dir.key.Public().(ed25519.PublicKey))
	if link == "" {
		say("This node's code is " + bootstrap.Code(want, id) + ". Somebody inside runs, at any node of the network: warren admit " + bootstrap.Code(want, id))
	}
	asked := rooms.NodeID{}
	for {
		from, data, err := stranger.Admit(ctx, addrs, req.Encode())
		if err != nil {
			return err
		}
		ans, err := bootstrap.DecodeAnswer(data)
		if err != nil {
			return err
		}
		if ans.State == bootstrap.Admitted {
			return dir.become(want, inv, from, ans)
		}
		if from != asked {
			asked = from
			say(fmt.Sprintf("Asked node %s, which tells the others. Waiting…", strings.TrimSpace(ans.Member()+" ("+from.Short()+")")))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(knockEvery):
		}
	}
}

// become checks what a member told and writes it: the genesis, the directory's log, and where to find the others.
func (d *dataDir) become(want rooms.Hash, inv *invite.Invite, from rooms.NodeID, ans bootstrap.Answer) error {
	var w welcome
	if err := rooms.Unmarshal(ans.Data, &w); err != nil {
		return fmt.Errorf("join: the answer makes no sense: %w", err)
	}
	if w.Genesis.ID() != want {
		return errors.New("join: the node that answered is of another network than the invitation says")
	}
	chain := rooms.NewChain(w.Genesis.Directory(), rooms.NewDirectory(w.Genesis))
	for _, b := range w.Decisions {
		var dec rooms.Decision
		if err := rooms.Unmarshal(b, &dec); err != nil {
			return fmt.Errorf("join: the directory's log: %w", err)
		}
		if err := chain.Check(&dec); err != nil {
			return fmt.Errorf("join: the directory's log does not prove itself: %w", err)
		}
		if _, err := chain.Accept(&dec, nil, rooms.VerifySignature); err != nil {
			return fmt.Errorf("join: the directory's log: %w", err)
		}
		if inv != nil && chain.Height == inv.DirHeight && chain.Head != rooms.Hash(inv.DirHash) {
			return errors.New("join: the node that answered follows another directory than the invitation says")
		}
	}
	return d.setGenesis(w.Genesis, func(b *store.Batch) {
		id := w.Genesis.Directory()
		b.Delete(store.Meta, []byte(joiningKey))
		b.Put(store.Meta, []byte(sinceKey), binary.BigEndian.AppendUint64(nil, chain.Height))
		for i, dec := range w.Decisions {
			b.Put(store.Decisions, store.HeightKey(id, uint64(i)+1), dec)
		}
		rec := peerRecord{Addrs: ans.Addrs, LastSeen: time.Now().Unix()}
		if len(rec.Addrs) == 0 && inv != nil {
			rec.Addrs = inv.Addrs
		}
		b.Put(store.Peers, from[:], rooms.Marshal(rec))
	})
}
