package arch

// module is the path under which the house's own packages are imported.
const module = "warren"

// left says which top-level folders a top-level folder may import, beside itself.
func left() map[string][]string {
	return map[string][]string{
		"perms":  nil,
		"rooms":  {"perms"},
		"search": {"perms", "rooms"},
		"node":   {"perms", "rooms", "search"},
		"bridge": {"perms", "rooms", "search"},
		"cmd":    {"perms", "rooms", "search", "node", "bridge"},
	}
}

// inner says which packages of its own top-level folder a package may not import: floors inside a folder. A path stands for itself and all
// below it.
func inner() map[string][]string {
	return map[string][]string{
		"rooms/errs":      {"rooms/order", "rooms/placement"}, // nothing pure may import rooms/replica anyway
		"rooms/canon":     {"rooms/order", "rooms/placement"},
		"rooms/placement": {"rooms/order"},
		"bridge/irc":      {"bridge/xmpp", "bridge/web"},
		"bridge/xmpp":     {"bridge/irc", "bridge/web"},
		"bridge/web":      {"bridge/irc", "bridge/xmpp"},
		"bridge/names":    {"bridge/irc", "bridge/xmpp", "bridge/web", "bridge/command", "bridge/login"},
	}
}

// homes says in which packages (with all below them) a library may be imported. The longest fitting path decides.
func homes() map[string][]string {
	overlay := []string{"node/overlay"}
	return map[string][]string{
		"github.com/libp2p":                    overlay,
		"github.com/ipfs":                      overlay,
		"github.com/multiformats":              overlay,
		"github.com/multiformats/go-multiaddr": {"node/overlay", "node/config"},
		"github.com/marcopolo/simnet":          nil,
		"go.etcd.io/bbolt":                     {"node/store"},
		"go.etcd.io/raft":                      {"rooms/order"},
		"github.com/ergochat/irc-go":           {"bridge/irc"},
		"gopkg.in/irc.v4":                      {"bridge/irc"},
		"mellium.im":                           {"bridge/xmpp"},
		"mellium.im/sasl":                      nil, // its server side must not stand at a socket; tests use its client side
		"pgregory.net/rapid":                   nil,
		"github.com/google/go-cmp":             nil,
		"go.uber.org/goleak":                   nil,
		"github.com/rogpeppe/go-internal":      nil,
	}
}

// pure lists the packages that are functions of their arguments alone.
func pure() []string {
	return []string{
		"perms", "rooms", "rooms/canon", "rooms/errs", "rooms/placement", "rooms/rate", "rooms/seal", "rooms/archive", "rooms/order", "search/query", "search/index", "bridge/names", "node/bootstrap/invite",
	}
}

// impure lists imports that a pure package may not have; a path stands for itself and all below it.
func impure() []string {
	return []string{
		"net", "os", "io/fs", "io/ioutil", "syscall", "golang.org/x/sys", "path/filepath", "log", "math/rand", "crypto/rand", "runtime", "sync", "embed", "plugin",
		"testing", "unsafe", "expvar",
	}
}

// excepted lists imports that stay allowed below an impure path, because they are values only.
func excepted() []string {
	return []string{"net/netip", "net/url", "log/slog"}
}

// clock lists the functions of package time that ask a clock or wait for it.
func clock() []string {
	return []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
}
