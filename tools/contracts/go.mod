// Pins the module from which buf/validate/validate.proto is taken.
module praxiscope/tools/contracts

go 1.26.0

require github.com/bufbuild/protovalidate v1.2.2
