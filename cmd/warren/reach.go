package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"warren/node"
	"warren/node/config"
)

// toNode asks the node that runs with the data directory, or, when none does, brings one up without views for this one question. found: an
// empty data directory founds a network for it; otherwise that is an error, and nothing is made there.
func (c *call) toNode(found bool, method, path string, in, out any) error {
	return c.withNode(found, func(ctx context.Context, data string) error {
		ctx, cancel := context.WithTimeout(ctx, controlTime)
		defer cancel()
		return ask(ctx, data, method, path, in, out)
	})
}

// withNode has f speak with the node as toNode says. f is called a second time when it returned errNotRunning.
func (c *call) withNode(found bool, f func(ctx context.Context, data string) error) error {
	load := c.lived
	if found {
		load = c.load
	}
	cfg, err := load()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err = f(ctx, string(cfg.Node.Data)); !errors.Is(err, errNotRunning) {
		return err
	}
	log := logger(c, cfg)
	n, err := node.Open(cfg, found, log)
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }()
	if err := n.Start(); err != nil {
		return err
	}
	ctl, err := startControl(n, nil, cfg, log)
	if err != nil {
		return err
	}
	defer ctl.close()
	return f(ctx, string(cfg.Node.Data))
}

// lived is load for commands that need a node with a past: without one, that is an error, and nothing is made.
func (c *call) lived() (config.Config, error) {
	cfg, err := c.load()
	if err != nil {
		return cfg, err
	}
	if _, err := os.Stat(string(cfg.Node.Data)); errors.Is(err, fs.ErrNotExist) || isEmpty(string(cfg.Node.Data)) {
		return cfg, fmt.Errorf("no node lives in %s: name its directory by --data, or begin with warren serve%s", cfg.Node.Data, c.where())
	}
	return cfg, nil
}

// isEmpty reports whether no node has ever begun in a data directory: it holds nothing but a configuration.
func isEmpty(dir string) bool {
	list, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() != config.FileName })
}
