package command

import (
	"fmt"
	"slices"

	"warren/bridge"
	"warren/perms"
)

func whyCommands() []*command {
	return []*command{{
		name: "why", help: "who orders this room, how far it is, and who signed its last decision", right: perms.Read, room: inRoom, run: why,
	}}
}

// Why is the data of !why. Nodes are named by the directory's names.
type Why struct {
	Room        string          `json:"room"`
	ID          string          `json:"id"`
	Leader      string          `json:"leader"`
	Controllers []string        `json:"controllers"`
	Asked       uint8           `json:"asked,omitempty"` // how many controllers the room asks for
	Epoch       uint64          `json:"epoch"`
	Height      uint64          `json:"height"`
	Header      string          `json:"header,omitempty"` // hash of the last header
	Signed      []string        `json:"signed,omitempty"` // nodes whose signatures its certificate holds
	Parked      bool            `json:"parked"`
	Frozen      bool            `json:"frozen"`
	Charges     []bridge.Charge `json:"charges,omitempty"`
}

func why(c *call) bridge.Reply {
	st := c.seat.Room().Status()
	d := Why{
		Room: "#" + c.seat.Name(), ID: st.ID, Epoch: st.Epoch, Height: st.Height, Header: st.LastHeader, Parked: st.Parked, Frozen: st.Frozen,
	}
	hub := c.tree.hub
	if !st.LeaderID.IsZero() {
		d.Leader = hub.NodeName(st.LeaderID)
	}
	for _, n := range st.ControlIDs {
		d.Controllers = append(d.Controllers, hub.NodeName(n))
	}
	for _, n := range st.LastCert {
		d.Signed = append(d.Signed, hub.NodeName(n))
	}
	slices.Sort(d.Controllers)
	slices.Sort(d.Signed)
	line := fmt.Sprintf("%s is ordered by %s", d.Room, list(d.Controllers))
	switch {
	case d.Leader != "" && len(d.Controllers) > 1:
		line += "; " + d.Leader + " leads"
	case d.Leader == "":
		line += "; nobody leads now"
	}
	c.view(func(v view) { d.Asked = v.st.Set.Controllers })
	if d.Asked > 0 && int(d.Asked) != len(d.Controllers) {
		line += fmt.Sprintf("; it asks for %d controllers", d.Asked)
	}
	lines := []string{line, fmt.Sprintf("epoch %d, height %d", d.Epoch, d.Height)}
	if len(d.Signed) > 0 {
		head := d.Header
		lines = append(lines, fmt.Sprintf("the last decision, %s, is signed by %s", head[:min(len(head), 8)], list(d.Signed)))
	}
	switch {
	case d.Frozen:
		lines = append(lines, "the room is frozen: too few of its controllers can be reached, so nothing can be ordered now")
	case d.Parked:
		lines = append(lines, "the room is asleep: it wakes with the next request")
	}
	for _, x := range st.Charges {
		x.Node = hub.NodeName(x.NodeID)
		d.Charges = append(d.Charges, x)
		lines = append(lines, x.Line(x.Node, ""))
	}
	return told(d, lines...)
}
