package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"warren/node"
	"warren/node/bootstrap"
	"warren/node/config"
	"warren/node/overlay"
	"warren/rooms"
)

const browseTime = 2 * time.Second

func invite(c *call) error {
	hours := c.flags.Int("hours", 24*7, "how long the invitation is good for")
	uses := c.flags.Int("uses", 1, "how many nodes may join with it")
	asQR := c.flags.Bool("qr", false, "draw it as a QR code too")
	if err := c.parse(); err != nil {
		return err
	}
	if *hours < 1 || *hours > 24*366 || *uses < 1 || *uses > 10000 {
		return usageError("--hours must be 1 to 8784, --uses 1 to 10000")
	}
	var link string
	if err := c.running("POST", "/invite", inviteRequest{*hours, *uses}, &link); err != nil {
		return err
	}
	if *c.json {
		return printJSON(c, map[string]any{"link": link, "hours": *hours, "uses": *uses})
	}
	fmt.Fprintln(c.out, link)
	if *asQR {
		return printQR(c.out, link)
	}
	return nil
}

// running asks the node that runs with the data directory, which must be.
func (c *call) running(method, path string, in, out any) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlTime)
	defer cancel()
	err = ask(ctx, string(cfg.Node.Data), method, path, in, out)
	if errors.Is(err, errNotRunning) {
		return fmt.Errorf("%w (%s): start it with warren serve%s", err, cfg.Node.Data, c.where())
	}
	return err
}

func admit(c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) > 1 {
		return usageError("say: warren admit CODE")
	}
	if len(c.args) == 1 {
		var name string
		if err := c.running("POST", "/admit", admitRequest{c.args[0]}, &name); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s is admitted\n", name)
		return nil
	}
	var list []waitingNode
	if err := c.running("GET", "/waiting", struct{}{}, &list); err != nil {
		return err
	}
	if *c.json {
		return printJSON(c, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.out, "nobody waits: there, run warren join")
	}
	for _, w := range list {
		fmt.Fprintf(c.out, "%s  %s  (compare the code with what is shown there)\n", w.Code, w.Name)
	}
	return nil
}

func join(c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case len(c.args) == 0:
		return browse(ctx, c)
	case len(c.args) > 1:
		return usageError("say: warren join LINK, or warren join NETWORK")
	}
	if err := becomeMember(ctx, c, cfg, c.args[0]); err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before this node was let in: the same command asks again")
		}
		return err
	}
	return serveUntil(ctx, c, cfg)
}

func becomeMember(ctx context.Context, c *call, cfg config.Config, target string) error {
	log := logger(c, cfg)
	say := func(text string) { fmt.Fprintln(c.out, text) }
	if strings.HasPrefix(target, "warren:") {
		return node.Join(ctx, cfg, target, nil, say, log)
	}
	found, err := nearby(ctx)
	if err != nil {
		return err
	}
	var list []bootstrap.Nearby
	for _, f := range found {
		list = append(list, bootstrap.Nearby{Name: f.NetworkName, ID: f.NetworkID, Addrs: f.Addrs})
	}
	pick, err := bootstrap.Pick(list, target)
	if err != nil {
		return err
	}
	return node.Join(ctx, cfg, "", &overlay.Found{NetworkName: pick.Name, NetworkID: pick.ID, Addrs: pick.Addrs}, say, log)
}

// nearby listens to the local network under a key of the moment.
func nearby(ctx context.Context) ([]overlay.Found, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	s, err := overlay.NewStranger(key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	return s.Browse(ctx, browseTime)
}

// networkInfo is one network of what `warren join --json` prints.
type networkInfo struct {
	Name  string   `json:"name"`
	ID    string   `json:"id"`
	Addrs []string `json:"addrs"` // multiaddrs, each with /p2p/ and a node's id
}

func browse(ctx context.Context, c *call) error {
	found, err := nearby(ctx)
	if err != nil {
		return err
	}
	if *c.json {
		list := []networkInfo{}
		for _, f := range found {
			list = append(list, networkInfo{f.NetworkName, rooms.Hash(f.NetworkID).String(), f.Addrs})
		}
		return printJSON(c, list)
	}
	if len(found) == 0 {
		return errors.New("no network answered nearby: ask somebody inside for a link (warren invite) and run warren join LINK")
	}
	for _, f := range found {
		fmt.Fprintf(c.out, "%s  %s\n", bootstrap.Nearby{Name: f.NetworkName, ID: f.NetworkID}.Name, strings.Join(f.Addrs[:min(len(f.Addrs), 2)], " "))
	}
	fmt.Fprintln(c.out, "Join one with: warren join NAME")
	return nil
}
