//! Room: grpc.
