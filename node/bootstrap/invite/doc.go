// Package invite makes, reads and checks invitations to a network.
//
// An invitation is one link, to be sent by mail or shown as a QR code:
//
//	warren:<base64url without padding of the canonical CBOR array of Invite's fields, version first>
//
// It says where the network is and what it is called, names a recent state of the directory, and is signed by
// the sponsoring node. The package is pure: no clock, no network, no disk. Whether the signer is a member, may
// invite, and how often the invitation was used is decided where the newcomer knocks, not here.
package invite
