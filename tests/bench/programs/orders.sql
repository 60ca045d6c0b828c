-- Before it stands: create table parameters(rows); insert into parameters values(N);
create table orders(id integer primary key, customer text, article text, price real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < (select rows from parameters))
  insert into orders
    select i, 'customer ' || (i * 7919 % 10007), 'article ' || (i * 104729 % 997), i % 1000 * 0.25 from n;
create index by_customer on orders(customer, price);
create index by_article on orders(article);
select count(*), sum(price), max(article) from orders;
select customer, count(*), group_concat(article) from orders where customer like '%77%'
  group by customer order by 2 desc, 1 limit 5;
select a.article, count(*) from orders a join orders b on a.article = b.article and b.id = a.id + 997 group by 1
  order by 2 desc, 1 limit 3;
select upper(substr(article, 1, 10)) || printf('%08.2f', sum(price)) from orders group by article order by 1 limit 3;
update orders set article = replace(article, 'article', 'item') where id % 3 = 0;
delete from orders where id % 5 = 0;
select count(distinct article), length(group_concat(distinct article)) from orders;
