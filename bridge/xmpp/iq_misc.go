package xmpp

import (
	"runtime"
	"time"
)

// pong answers a ping (XEP-0199).
func (c *conn) pong(iq, _ *element) { c.send(resultOf(iq)) }

// version tells name and version of the software (XEP-0092).
func (c *conn) version(iq, _ *element) {
	q := el(nsVersion, "query", el(nsVersion, "name", "Warren"), el(nsVersion, "version", versionOr(c.srv.cfg.Version)), el(nsVersion, "os", runtime.GOOS))
	c.send(resultOf(iq, q))
}

func versionOr(v string) string {
	if v == "" {
		return "unknown"
	}
	return v
}

// time tells the node's time (XEP-0202).
func (c *conn) time(iq, _ *element) {
	now := time.UnixMilli(c.srv.hub.World().Now()).UTC()
	c.send(resultOf(iq, el(nsTime, "time", el(nsTime, "tzo", "+00:00"), el(nsTime, "utc", now.Format(stampFormat)))))
}

// stampFormat is the profile of XEP-0082.
const stampFormat = "2006-01-02T15:04:05.000Z"

// stamp writes a time in ms.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(stampFormat) }
