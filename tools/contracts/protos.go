// Package contracts pins where third-party protos come from; it has no code.
package contracts
