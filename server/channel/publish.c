/* server/channel/publish.c - the two ends of a message's way between shards. What lies between is
 * server/home/home_publish.c; the last step, from a channel to its subscribers' outboxes,
 * is server/channel/fan_out.c. */
#include "server/channel/publish.h"

#include "core/channel.h"
#include "core/message.h"
#include "server/channel/fan_out.h"
#include "server/shard/crowd.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>

enum rc publish(struct shard *shard, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    uint32_t home = hub_home(&shard->hub, &message->channel);
    bool must_wait = crowd_must_wait(shard, message);
    enum rc rc = post_send(shard, home, LETTER_PUBLISH, message);
    return must_wait ? RC_PENDING : rc;
}

void publish_deliver(struct shard *shard, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    if (channel != NULL && channel_wants(channel, message)) {
        fan_out_later(shard, channel, message);
    } else {
        message_drop(&shard->counters, message); /* those who read it have left, or wait for the home's word */
    }
}
