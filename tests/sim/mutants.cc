#include "mutants.h"

#include <algorithm>

#include "core/planted.h"

namespace assent::sim {
namespace {

constexpr bool kAttached = true;
constexpr bool kRare = true;

}  // namespace

// By rule. Each is named once here, and at the place of its rule in src/core or src/ledger.
const std::vector<Mutant>& mutants() {
    static const std::vector<Mutant> all = {
        {"message_of_an_older_epoch_followed", "R1",
         "proposals and heartbeats of an epoch below the ballot are followed"},
        {"older_epoch_acked_while_a_vote_syncs", "R1",
         "until a vote is durable, proposals of the epoch before are still appended and acked"},
        {"ack_before_the_ballot_is_durable", "R1", "an ack leaves before the ballot of its epoch is on the disk"},
        {"vote_overtaken_by_a_newer_ballot_still_given", "R1",
         "a vote that waits for its sync leaves although the ballot was raised again"},
        {"mastership_resumed_after_a_restart", "R1", "a master that was started again goes on in its epoch"},

        {"vote_not_durable", "R2", "a vote leaves before it is on the disk"},
        {"own_vote_not_durable", "R2", "a candidate asks for votes before its own is on the disk"},
        {"two_votes_an_epoch", "R2", "whoever asks gets a vote in the ballot's epoch"},
        {"votes_for_a_shorter_ledger", "R2", "a vote does not ask whose ledger is more complete"},
        {"votes_by_index_alone", "R2", "ledgers are compared by their last index, not by epoch first"},
        {"votes_by_epoch_alone", "R2", "ledgers are compared by their last epoch alone"},
        {"votes_by_node_id", "R2", "the lower node id gets the vote, whatever is in its ledger"},
        {"vote_for_nobody_in_particular", "R2",
         "a vote does not say for whom it is: every candidate of the epoch counts it"},
        {"vote_of_a_wiped_disk_counted", "R2", "a vote counts though it comes with another ledger_id than the voter's",
         !kAttached, kRare},
        {"every_voter_present_counted_as_a_vote", "R2", "whoever is in the view has voted for us"},
        {"half_of_the_votes_elects", "R2", "half of the votes are a majority"},
        {"voter_with_a_greater_ballot_ignored", "R2",
         "a master does not stand again above the ballot of a voter that it cannot reach"},
        {"hand_over_to_a_node_without_the_whole_ledger", "R2", "TRANSFER before its target has every entry"},

        {"appends_without_match", "R3", "a proposal is appended although the entry before it is another one here"},
        {"conflicting_entry_kept", "R3", "an entry of another epoch at the same index is taken for the master's"},
        {"truncates_without_conflict", "R3", "what lies above the end of a message is truncated"},
        {"match_kept_over_epochs", "R3", "what matched the last master is taken to match the next one"},
        {"proposals_held_over_epochs", "R3", "proposals held for a gap are taken in a later epoch"},
        {"heartbeat_matched_by_length", "R3", "a ledger as long as the master's is taken to match it"},
        {"gap_seen_by_heartbeat_ignored", "R3", "entries that only a heartbeat tells of are not fetched"},
        {"lost_fetch_never_repeated", "R3", "a FETCH without an answer is waited for without end"},
        {"fetch_goes_on_from_the_askers_end", "R3", "ENTRIES begin where the asker's ledger ends, conflicts or not"},
        {"entries_from_a_node_that_did_not_ack", "R3",
         "a node serves FETCH from a ledger that it did not ack in this epoch"},

        {"ack_before_sync", "R4", "an ack counts what is still on its way to the disk"},
        {"master_counts_itself_before_its_sync", "R4", "a master counts its own entries before they are on the disk"},
        {"sync_under_way_counts_for_what_was_truncated", "R4",
         "a sync that began before a truncation makes what was appended after it durable"},
        {"verdicts_before_the_own_sync", "R4", "the application is ahead of the ledger of its node"},

        {"acks_what_does_not_match", "R5", "an ack counts all that is durable, the master's or not", !kAttached, kRare},
        {"ack_of_an_older_epoch_counted", "R5", "a master counts acks that were meant for an older epoch"},
        {"ack_of_a_wiped_disk_counted", "R5", "an ack counts though it comes with another ledger_id than the voter's"},
        {"own_message_delivered_here_counts_as_stored_by_all", "R5",
         "a message that CPG delivered to its sender is taken to be on every disk"},
        {"accept_mark_not_durable", "R5", "an accept is told before its mark is on the disk"},
        {"accepted_beyond_durable", "R5", "an accept is told of entries that are not durable here"},
        {"accept_outlives_the_entry", "R5", "the mark stays where it was when its entries are truncated", kAttached},
        {"accept_taken_back", "R5", "a rejection lowers the mark", kAttached, kRare},
        {"rejected_counted_as_accepted", "R5", "what the application rejects is accepted", kAttached},
        {"opinion_outlives_the_entry", "R5", "what was said of a truncated entry counts for the one in its place",
         kAttached},
        {"application_that_hangs_accepts", "R5", "entries are accepted while the application does not answer"},
        {"accepts_without_asking", "R5", "entries are accepted before the application answered", kAttached},
        {"entries_not_offered_again_after_a_restart", "R5",
         "what the application did not answer before a restart is not offered again", kAttached},
        {"withdraw_not_told_to_the_application", "R5", "the application answers for entries that were truncated",
         kAttached, kRare},

        {"entry_of_an_older_epoch_confirmed_by_count", "R6",
         "an entry of an older epoch is confirmed once a majority has it"},
        {"indexes_announced_before_the_epoch_entry_is_stored", "R6",
         "a master announces its indexes before its EPOCH entry is stored"},
        {"read_once_the_epoch_entry_is_stored", "R6",
         "a linearizable read is answered before the EPOCH entry is confirmed"},

        {"confirms_what_is_only_stored", "R7", "a WRITE is confirmed without a majority of accepts"},
        {"half_of_the_votes_stores", "R7", "half of the votes store and accept"},
        {"verdict_before_the_stored_index", "R7", "verdicts are given before the ledger reaches the stored index",
         kAttached},
        {"verdict_by_length_instead_of_match", "R7",
         "verdicts are given once the ledger is as long as the stored index says"},
        {"cancel_without_proof", "R7", "a CANCEL for whatever an application rejects in the way of a majority",
         kAttached},
        {"cancel_proof_without_durable", "R7", "the proof counts voters who do not have the entry", kAttached},
        {"write_with_a_cancel_confirmed", "R7", "a WRITE whose CANCEL the ledger holds is confirmed by accepts",
         kAttached},
        {"confirm_index_passes_a_cancel_not_stored", "R7",
         "a WRITE with a CANCEL is decided before the CANCEL is stored", kAttached},
        {"cancelled_told_before_the_cancel_is_stored", "R7", "a client is told `cancelled` when the CANCEL is proposed",
         kAttached, kRare},
        {"cancel_forgotten_by_a_restart", "R7", "a start does not look for the CANCELs in its ledger", kAttached},
        {"withdrawn_write_told_cancelled", "R7", "a client is told `cancelled` when its entry is truncated"},
        {"verdict_told_to_whoever_waited_at_the_index", "R7",
         "who waited for an entry gets the verdict of the one that took its place"},
        {"write_answered_when_proposed", "R7", "a client is told `confirmed` when its write is proposed"},

        {"lease_counted_from_receipt", "R8", "a lease is counted from the answer instead of the question"},
        {"lease_longer_than_granted", "R8", "a lease is counted half as long again as it was granted"},
        {"drift_of_clocks_ignored", "R8", "a lease is counted as long as granted, whatever the clocks' rates"},
        {"lease_counted_on_a_clock_that_stops", "R8", "a lease is counted on a clock that stands still in suspend"},
        {"lease_counted_without_a_majority", "R8", "a lease runs whoever granted it"},
        {"lease_granted_before_it_is_durable", "R8", "a grant leaves before the longest lease is on the disk"},
        {"longest_lease_not_kept", "R8", "the longest lease granted is not put down"},
        {"votes_at_once_after_a_restart", "R8", "a restart forgets the leases granted before it", !kAttached, kRare},
        {"votes_under_a_lease_it_granted", "R8", "a vote for another while a lease runs", !kAttached, kRare},
        {"stands_under_a_lease_it_granted", "R8", "a node stands, and votes for itself, while a lease runs"},
        {"heartbeat_answer_of_an_older_epoch_counted", "R8",
         "answers to heartbeats of an older epoch count in this one", !kAttached, kRare},
        {"master_goes_on_after_its_transfer", "R8", "a master answers and confirms after it handed over"},
        {"time_read_before_the_pause", "R8", "a read is judged by a clock read before it came"},
        {"read_joins_a_round_begun_before_it", "R8", "a read is proven by a round that was begun before it came"},
        {"read_without_proof_of_mastership", "R8", "a read is answered without lease and round"},
        {"read_before_it_is_applied", "R8", "a read is answered before the application has applied its index"},

        {"founds_with_a_part_of_the_nodelist", "R9", "the first CONFIG does not wait for every node"},
        {"every_node_founds_the_cluster", "R9", "not the lowest node id alone founds the cluster"},
        {"founds_beside_a_node_that_has_a_cluster", "R9",
         "the first CONFIG is made though a node has a cluster or a ledger", !kAttached, kRare},
        {"cluster_id_before_the_first_config", "R9", "the founder's cluster_id goes to the disk with its CONFIG"},

        {"write_under_way_proposed_again", "R10", "a write whose first copy is undecided is proposed again"},
        {"decided_write_proposed_again", "R10", "a write that is decided is proposed again"},
        {"write_cancelled_without_looking_for_it", "R10", "CANCEL for a write that has an entry or an outcome"},
        {"undecided_writes_not_looked_up_at_a_start", "R10", "a restart forgets which writes are under way"},
        {"client_table_not_rebuilt_at_a_start", "R10", "a restart forgets the outcomes of applied writes"},
        {"outcome_of_a_cancelled_write_not_kept", "R10", "the client table keeps no cancelled outcomes", kAttached},
        {"client_that_was_dropped_taken_for_new", "R10", "a client that the table dropped may write as a new one"},
        {"outcome_not_kept_taken_for_none", "R10", "an outcome that the table does not keep any more counts as none"},
        {"client_table_bounded_by_node_id", "R10", "how many clients the table keeps differs from node to node"},

        {"ballot_not_synced", "ledger", "the state files are written without a sync"},
        {"ballot_saved_in_one_copy", "ledger", "only the first of the two state files is written"},
        {"whole_copy_of_the_ballot_written_first", "ledger",
         "a state file that is whole is written over while the other one is not"},
        {"records_not_synced", "ledger", "records are written without a sync"},
        {"failed_sync_ignored", "ledger", "a sync that failed is taken for done"},
        {"start_without_syncing_what_was_found", "ledger", "what a start finds in the cache counts as durable"},
        {"full_segment_not_synced", "ledger", "the next segment is begun before the full one is on the disk"},
        {"folder_not_synced_for_a_new_segment", "ledger", "a segment is used before its name is on the disk"},
        {"folder_not_synced_after_formatting", "ledger", "a new ledger is used before its names are on the disk"},
        {"torn_record_accepted", "ledger", "a record counts whatever its checksum says"},
        {"chain_of_records_not_checked", "ledger", "a record counts whatever stood before it when it was written",
         !kAttached, kRare},
        {"ledger_cut_short_at_damage", "ledger", "damage in the middle is taken for an unfinished write"},
        {"truncation_not_written", "ledger", "a truncation leaves no record"},
        {"truncation_not_replayed", "ledger", "a start does not carry out truncations"},
        {"mark_alone_not_written", "ledger", "a mark without an entry leaves no record"},
        {"mark_not_replayed", "ledger", "a start does not read marks that stand alone"},
        {"mark_recovered_too_high", "ledger", "a start takes every entry for accepted"},
    };
    return all;
}

bool plant(std::string_view name) {
    // The simulator's tests of itself are not in the table (nemesis.cc).
    bool known = name.starts_with("self_") ||
                 std::any_of(mutants().begin(), mutants().end(), [name](const Mutant& m) { return m.name == name; });
    if (known) planted::mutant = planted::id(name);
    return known;
}

}  // namespace assent::sim
