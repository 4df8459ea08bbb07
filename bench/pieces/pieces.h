/* bench/pieces/pieces.h - the pieces, one file each. */
#pragma once

struct bench;

void bench_mailbox(struct bench *bench);
void bench_frame(struct bench *bench);
void bench_utf8(struct bench *bench);
void bench_json_text(struct bench *bench);
void bench_presence(struct bench *bench);
void bench_encode(struct bench *bench);
void bench_fan_out(struct bench *bench);
void bench_flush(struct bench *bench);
void bench_metrics(struct bench *bench);
void bench_cluster(struct bench *bench);
void bench_aead(struct bench *bench);
void bench_tls(struct bench *bench);
