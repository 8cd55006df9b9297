package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"warren/node/config"
)

func configCommand(c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) != 1 || c.args[0] != "example" {
		return usageError("say: warren config example")
	}
	fmt.Fprint(c.out, config.Example())
	return nil
}

// load reads the configuration that --config and --data name.
func (c *call) load() (config.Config, error) {
	path, data := *c.config, *c.data
	if data == "" && path == "" {
		def, err := config.DefaultDataDir()
		if err != nil {
			return config.Config{}, err
		}
		data = def
	}
	if path == "" {
		path = filepath.Join(data, config.FileName)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return c.absolute(config.Default(data))
		}
	}
	cfg, err := config.Load(path)
	if err != nil {
		return cfg, err
	}
	if data != "" {
		cfg.Node.Data = config.Path(data)
	}
	return c.absolute(cfg)
}

func (c *call) absolute(cfg config.Config) (config.Config, error) {
	abs, err := filepath.Abs(string(cfg.Node.Data))
	cfg.Node.Data = config.Path(abs)
	return cfg, err
}

func logger(c *call, cfg config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // checked when it was loaded
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(c.err, o))
	}
	return slog.New(slog.NewTextHandler(c.err, o))
}
