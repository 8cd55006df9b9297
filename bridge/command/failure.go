package command

import "warren/rooms/errs"

// why says in a friendly sentence what became of a change that did not happen.
func (c *call) why(err error) string {
	switch errs.Of(err) {
	case errs.Void:
		return "this node may not sign for you: log in again"
	case errs.Stale:
		return "somebody changed it at the same moment: look at it and try again"
	case errs.Denied:
		if c.cmd.right != 0 {
			return "you may not do that: it needs the right to " + c.cmd.right.String()
		}
		return "you may not do that"
	case errs.NotFound:
		return "it is not there any more"
	case errs.Exists:
		return "the name is taken, or it is so already"
	case errs.NickInUse:
		return "that nick is in use"
	case errs.Invalid:
		return "that is not possible: a name or a value is not allowed"
	case errs.TooLarge:
		return "that is too large: a document has at most 64 KiB"
	case errs.Quota:
		return "there is no room for more of that here"
	case errs.Closed:
		return "the room is closed, or you are on your way out"
	case errs.Banned:
		return "a sanction stands in the way"
	case errs.InviteOnly:
		return "that needs an invitation"
	case errs.NeedKey:
		return "that needs the room's password"
	case errs.Full:
		return "the room is full"
	case errs.NotHere:
		return "you are not in the room"
	case errs.Frozen:
		return "the room cannot order anything now: too few of its controllers can be reached; nothing was changed"
	case errs.Busy:
		return "too much is going on: try again in a moment"
	case errs.Timeout:
		return "no answer in time: it may still happen, so look before you try again"
	}
	return "that went wrong inside this node; its log says more"
}
