# words.pl ROUNDS: text and hashes: makes lines, splits them, counts words, groups, substitutes, sorts, joins.
use strict;
use warnings;

my $rounds = shift;
my $sum = 0;
my $state = 42;

sub below {
    $state = ($state * 1103515245 + 12345) % 2147483648;
    return ($state >> 8) % $_[0];
}

for my $round (1 .. $rounds) {
    my @lines = map { join ' ', map { 'word' . below(3000) } 1 .. 12 } 1 .. 200;
    my (%count, %lines_of);
    for my $number (0 .. $#lines) {
        for my $word (split / /, $lines[$number]) {
            ++$count{$word};
            push @{$lines_of{$word}}, {line => $number, length => length $word};
        }
    }
    my @ranking = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
    for my $word (@ranking[0 .. 99]) {
        (my $upper = uc $word) =~ s/(\d)/<$1>/g;
        $sum += length(join ',', $upper, map { $_->{line} } @{$lines_of{$word}});
    }
}
print "$sum\n";
