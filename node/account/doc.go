// Package account keeps the accounts of one node: it registers them, checks their passwords, and makes this node a device of an account whose
// owner logs in here for the first time.
//
// An account is an Ed25519 key pair. The directory knows the public half and the devices (nodes) that may sign for the account; the private
// half lies on the devices only, sealed under the password ([Record]). What is derived from the password:
//
//	Argon2id(password, salt, params) = 64 bytes
//	  first 32: key of XChaCha20-Poly1305 around the private key's seed
//	  last 32:  fetch token; a device keeps its SHA-256 and hands the record only to who shows the token
//
// So a node that wants to guess passwords must ask a device for every guess, and devices count. The record also holds the SCRAM keys, and is
// signed by the account's key, so that devices can pass a newer one on (a changed password) without knowing the password.
//
// Devices talk by one protocol, [Protocol], of four questions: params and open (by any node inside, for a login there), pull and push
// (between devices of the account). See ask.go.
//
// Reading order: account.go, record.go, login.go, register.go, password.go, ask.go, serve.go. Nothing of IRC, XMPP or SASL may come in;
// cmd adapts [Accounts] to what the bridges want, one error here for each error there.
package account
